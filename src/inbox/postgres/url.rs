//! The URL: what of it tokio-postgres reads, and what it does not.

use std::{path::Path, time::Duration};

use tokio_postgres::Config;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls::{self, Mode};
use crate::inbox::InboxError;

pub(super) struct Target {
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
}

/// The system's certificates, as a value of `sslrootcert`.
const SYSTEM: &str = "system";

const SILENCE: Duration = Duration::from_secs(5);

impl Target {
    pub(super) fn parse(url: &str) -> Result<Self, InboxError> {
        let (mut mode, mut roots) = (None, None);
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        // Here a plus sign is itself.
        let query = query.replace('+', "%2B");
        let mut rest = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "sslmode" => mode = Some(Mode::parse(&value)?),
                "sslrootcert" => roots = Some(Path::new(&*value).to_owned()),
                _ => {
                    rest.append_pair(&name, &value);
                }
            }
        }
        if !base.starts_with("postgres://") && !base.starts_with("postgresql://") {
            return Err(InboxError::new("the URL of a PostgreSQL begins with postgres:// or postgresql://"));
        }
        let url = format!("{base}?{}", rest.finish().replace('+', "%20"));
        let mut config: Config = url
            .parse()
            .map_err(|error| InboxError::caused("the URL of the PostgreSQL cannot be read", &error))?;
        // As libpq has it: that anybody's certificate is signed by somebody known says nothing without the name.
        let mode = match (mode, &roots) {
            (None | Some(Mode::VerifyFull), Some(roots)) if roots == Path::new(SYSTEM) => Mode::VerifyFull,
            (Some(_), Some(roots)) if roots == Path::new(SYSTEM) => {
                return Err(InboxError::new("sslrootcert=system needs sslmode=verify-full"));
            }
            (mode, _) => mode.unwrap_or(Mode::Prefer),
        };
        config.ssl_mode(mode.encryption());
        if config.get_application_name().is_none() {
            config.application_name("tencent-desk-webhook");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(super::PATIENCE);
        }
        // A line that was cut without a word is found out before an event has to wait for it.
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
