//! `sslmode`, against a PostgreSQL with TLS and one without.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use tencent_desk_webhook::inbox::Inbox;

use crate::{
    places::{Folder, accept, message},
    server::{Server, give_away},
};

/// Writes the certificate of an authority to `roots`, and a certificate for `localhost` that it has signed to the server's folder.
fn certificates(server: &Path, roots: &Path) {
    let openssl = |arguments: &str| {
        let output = Command::new("openssl").args(arguments.split(' ')).current_dir(server).output();
        let output = output.expect("the program openssl makes the certificates");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 1";
    openssl(&format!("{new} -subj /CN=authority -keyout authority.key -out {}", roots.display()));
    openssl(&format!(
        "{new} -subj /CN=localhost -addext subjectAltName=DNS:localhost -addext basicConstraints=CA:FALSE \
         -CA {} -CAkey authority.key -keyout server.key -out server.crt",
        roots.display()
    ));
    fs::set_permissions(server.join("server.key"), fs::Permissions::from_mode(0o600)).unwrap();
    give_away(server);
}

/// Whether the connection was encrypted. An empty `mode` stands for none.
async fn connect(server: &Server, host: &str, mode: &str, roots: Option<&PathBuf>) -> Result<bool, String> {
    let roots = roots.map(|roots| format!("&sslrootcert={}", roots.display())).unwrap_or_default();
    let sslmode = if mode.is_empty() { String::new() } else { format!("&sslmode={mode}") };
    // Names that no resolver knows lead here, too.
    let url =
        format!("postgres://postgres@{host}:{}/postgres?hostaddr=127.0.0.1{sslmode}{roots}", server.port);
    let inbox = Inbox::connect(&url).await.map_err(|error| error.to_string())?;
    accept(&inbox, &message(&format!("{host}{mode}{}", roots.len()), 1)).await;
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                     WHERE application_name = 'tencent-desk-webhook'";
    let encrypted = server.sql(encrypted) == "t";
    drop(inbox);
    crate::places::until("the connections are closed", async || {
        server.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tencent-desk-webhook'")
            == "0"
    })
    .await;
    Ok(encrypted)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_mode_asks_of_the_server_what_libpq_would() {
    let Some(mut server) = Server::start("") else { return };
    let folder = Folder::new();
    let (roots, others) = (folder.join("roots.pem"), folder.join("others.pem"));
    // Without TLS.
    for mode in ["disable", "prefer", ""] {
        assert_eq!(connect(&server, "localhost", mode, None).await, Ok(false), "{mode}");
    }
    assert_eq!(connect(&server, "desk.test", "prefer", None).await, Ok(false));
    for host in ["desk.test", "192.0.2.1"] {
        let error = connect(&server, host, "", None).await.unwrap_err();
        assert!(
            error.contains("does not support TLS") && error.contains("sslmode=disable"),
            "{host}: {error}"
        );
    }
    for mode in ["require", "verify-ca", "verify-full"] {
        certificates(&server.data(), &others);
        let error = connect(&server, "localhost", mode, Some(&others)).await.unwrap_err();
        assert!(error.contains("does not support TLS"), "{mode}: {error}");
    }

    server.kill();
    certificates(&server.data(), &roots);
    fs::write(server.data().join("postgresql.auto.conf"), "ssl = on").unwrap();
    give_away(&server.data());
    server.up();
    for (mode, trusted, host, expected) in [
        ("", None, "localhost", Some(true)),
        ("", None, "desk.test", Some(true)),
        ("", Some(&roots), "localhost", Some(true)),
        ("", Some(&roots), "127.0.0.1", None),
        ("", Some(&others), "localhost", None),
        ("disable", None, "localhost", Some(false)),
        ("prefer", None, "localhost", Some(true)),
        ("require", None, "127.0.0.1", Some(true)),
        ("require", Some(&roots), "127.0.0.1", Some(true)),
        ("require", Some(&others), "localhost", None),
        ("verify-ca", Some(&roots), "127.0.0.1", Some(true)),
        ("verify-ca", Some(&others), "localhost", None),
        ("verify-full", Some(&roots), "localhost", Some(true)),
        ("verify-full", Some(&roots), "127.0.0.1", None),
        ("verify-full", Some(&others), "localhost", None),
        ("verify-full", None, "localhost", None),
    ] {
        let result = connect(&server, host, mode, trusted).await;
        match (&result, expected) {
            (Ok(encrypted), Some(expected)) => assert_eq!(*encrypted, expected, "{mode} {host} {trusted:?}"),
            (Err(error), None) => assert!(error.contains("certificate"), "{mode} {host}: {error}"),
            _ => panic!("{mode} {host} {trusted:?}: {result:?}"),
        }
    }
}
