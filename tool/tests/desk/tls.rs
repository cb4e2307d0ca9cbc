//! `https` targets.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring::default_provider,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
};

use crate::support::{Ran, Server, TOKEN, desk, place};

/// Writes the certificate of an authority, and one for `localhost` that it has signed: authority, certificate and key.
fn certificates() -> [PathBuf; 3] {
    let folder = place("certificates");
    std::fs::create_dir(&folder).unwrap();
    let openssl = |arguments: &str| {
        let output = Command::new("openssl").args(arguments.split(' ')).current_dir(&folder).output();
        let output = output.expect("the program openssl makes the certificates");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 1";
    openssl(&format!("{new} -subj /CN=authority -keyout authority.key -out authority.crt"));
    openssl(&format!(
        "{new} -subj /CN=localhost -addext subjectAltName=DNS:localhost -addext basicConstraints=CA:FALSE \
         -CA authority.crt -CAkey authority.key -keyout server.key -out server.crt"
    ));
    ["authority.crt", "server.crt", "server.key"].map(|name| folder.join(name))
}

/// Decrypts for a server, as a proxy does, and returns its port.
fn proxy(runtime: &Runtime, certificate: &Path, key: &Path, server: &str) -> u16 {
    let chain = vec![CertificateDer::from_pem_file(certificate).unwrap()];
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let server: SocketAddr = server.parse().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    runtime.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut encrypted) = acceptor.accept(stream).await else { return };
                let mut plain = TcpStream::connect(server).await.unwrap();
                let _ = copy_bidirectional(&mut encrypted, &mut plain).await;
            });
        }
    });
    port
}

#[test]
fn certificates_are_checked() {
    let [authority, certificate, key] = certificates();
    let server = Server::example("axum");
    let runtime = Runtime::new().unwrap();
    let port = proxy(&runtime, &certificate, &key, &server.address);
    let send = |host: &str, roots: &Path| -> Ran {
        let to = format!("https://{host}:{port}/desk/callback");
        let mut command = desk(["send", "SessionBegin", "--to", &to, "--token", TOKEN]);
        command.env("SSL_CERT_FILE", roots).output().unwrap().into()
    };
    let ran = send("localhost", &authority);
    assert_eq!(ran.code, 0, "{ran:?}");
    // The name is not in it; and its authority is not trusted.
    for (host, roots) in [("127.0.0.1", &authority), ("localhost", &certificate)] {
        let ran = send(host, roots);
        assert_eq!(ran.code, 1);
        assert!(ran.stderr.contains("certificate"), "{ran:?}");
    }
}
