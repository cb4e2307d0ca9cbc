//! Parses the URL: the parameters that tokio-postgres knows, and those that it does not.
//!
//! A URL that cannot be read may have its password anywhere, so no part of it is repeated in an error.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio_postgres::{Config, config::Host};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls::{self, Mode};
use crate::inbox::InboxError;

pub(super) struct Target {
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
}

/// The system's certificates, as a value of `sslrootcert`.
const SYSTEM: &str = "system";

/// Within the webhook's deadline.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

const SILENCE: Duration = Duration::from_secs(5);

/// The parameters that an error may name.
const PARAMETERS: [&str; 19] = [
    "application_name",
    "channel_binding",
    "connect_timeout",
    "dbname",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "load_balance_hosts",
    "options",
    "password",
    "port",
    "sslnegotiation",
    "sslrootcert",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
];

impl Target {
    pub(super) fn parse(url: &str) -> Result<Self, InboxError> {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let is_ours =
            |scheme: &str| ["postgres", "postgresql"].iter().any(|ours| scheme.eq_ignore_ascii_case(ours));
        let Some((_, base)) = base.split_once("://").filter(|(scheme, _)| is_ours(scheme)) else {
            return Err(InboxError::new("the URL of a PostgreSQL starts with postgres:// or postgresql://"));
        };
        // A second @, or one in the query, belongs to a password that is not encoded.
        if base.matches('@').count() > 1 || query.contains('@') {
            return Err(unreadable());
        }
        let base = format!("postgresql://{base}");
        base.parse::<Config>().map_err(|_| unreadable())?;

        let (mut mode, mut roots) = (None, None);
        // Here a plus sign is itself.
        let query = query.replace('+', "%2B");
        let mut rest = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "sslmode" => mode = Some(Mode::parse(&value)?),
                "sslrootcert" => roots = Some(PathBuf::from(&*value)),
                name if PARAMETERS.contains(&name) => {
                    rest.append_pair(name, &value);
                }
                _ => return Err(unknown_parameter()),
            }
        }
        let rest = rest.finish().replace('+', "%20");
        let mut config: Config = format!("{base}?{rest}").parse().map_err(|_| unusable(&base, &rest))?;
        let mode = choose_mode(mode, roots.as_deref(), &config)?;
        config.ssl_mode(mode.encryption());
        if config.get_application_name().is_none() {
            config.application_name("tencent-desk-webhook");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        // Detects a connection that was cut silently before an event has to wait for it.
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE);
        }
        if !query.contains("keepalives") {
            config.keepalives_idle(2 * SILENCE).keepalives_interval(SILENCE).keepalives_retries(2);
        }
        let roots = roots.filter(|roots| roots != Path::new(SYSTEM));
        Ok(Self { config, tls: tls::connector(mode, roots.as_deref())? })
    }
}

fn unreadable() -> InboxError {
    InboxError::new(
        "the URL of the PostgreSQL cannot be read: write postgres://user:password@host:port/database, and in user and \
         password %40 for @, %3A for :, %2F for /, %3F for ?, %23 for # and %25 for %",
    )
}

fn unknown_parameter() -> InboxError {
    InboxError::new(format!(
        "the URL of the PostgreSQL has an unknown parameter; it may have sslmode, {}; if what follows the question mark \
         belongs to the password, write %3F for ?",
        PARAMETERS.join(", ")
    ))
}

/// Names the first parameter that cannot be used.
fn unusable(base: &str, query: &str) -> InboxError {
    let fails = |pair: &&str| format!("{base}?{pair}").parse::<Config>().is_err();
    let name = query.split('&').find(fails).and_then(|pair| pair.split('=').next());
    let name = name.unwrap_or("a parameter");
    InboxError::new(format!("the URL of the PostgreSQL has an unusable value of {name}"))
}

/// With root certificates the server's certificate is verified, and its name as well unless the URL says otherwise. Without any
/// setting, a password leaves this machine only encrypted.
fn choose_mode(mode: Option<Mode>, roots: Option<&Path>, config: &Config) -> Result<Mode, InboxError> {
    match (mode, roots) {
        (None | Some(Mode::VerifyFull), Some(_)) => Ok(Mode::VerifyFull),
        // As in libpq: that a well-known authority has signed some certificate proves nothing without the name.
        (Some(_), Some(roots)) if roots == Path::new(SYSTEM) => {
            Err(InboxError::new("sslrootcert=system needs sslmode=verify-full"))
        }
        (Some(Mode::Disable | Mode::Prefer), Some(_)) => Err(InboxError::new(
            "sslrootcert has no effect with sslmode=disable or prefer: use sslmode=verify-full, its default",
        )),
        (Some(mode), _) => Ok(mode),
        (None, None) if is_local(config) => Ok(Mode::Prefer),
        (None, None) => Ok(Mode::Require),
    }
}

/// Whether all hosts are loopback addresses or sockets.
fn is_local(config: &Config) -> bool {
    let loopback = |host: &str| host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    config.get_hostaddrs().iter().all(IpAddr::is_loopback)
        && config.get_hosts().iter().all(|host| match host {
            Host::Tcp(name) => name.eq_ignore_ascii_case("localhost") || loopback(name),
            #[cfg(unix)]
            Host::Unix(_) => true,
        })
}
