//! TLS as the URL's `sslmode` sets it, with libpq's meaning.

use std::{path::Path, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::inbox::InboxError;

/// `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl Mode {
    pub(super) fn parse(value: &str) -> Result<Self, InboxError> {
        Ok(match value {
            "disable" => Self::Disable,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => {
                return Err(InboxError::new(
                    "sslmode has to be disable, prefer, require, verify-ca or verify-full",
                ));
            }
        })
    }

    /// The part that tokio-postgres implements: whether to encrypt.
    pub(super) fn encryption(self) -> SslMode {
        match self {
            Self::Disable => SslMode::Disable,
            Self::Prefer => SslMode::Prefer,
            Self::Require | Self::VerifyCa | Self::VerifyFull => SslMode::Require,
        }
    }
}

/// The part that TLS implements: which certificates to trust.
pub(super) fn connector(mode: Mode, roots: Option<&Path>) -> Result<MakeRustlsConnect, InboxError> {
    let provider = Arc::new(ring::default_provider());
    let failed = |error: Error| InboxError::caused("TLS cannot be set up", &error);
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    // With a file of roots, `require` verifies as `verify-ca` does.
    let config = match (mode, roots) {
        (Mode::VerifyFull, _) => builder.with_root_certificates(trusted(roots)?).with_no_client_auth(),
        (Mode::VerifyCa, _) | (Mode::Require, Some(_)) => {
            let chain = WebPkiServerVerifier::builder_with_provider(trusted(roots)?, Arc::clone(&provider))
                .build()
                .map_err(|error| InboxError::caused("TLS cannot be set up", &error))?;
            let verifier = Arc::new(Lenient { chain: Some(chain), provider });
            builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
        }
        (Mode::Disable | Mode::Prefer | Mode::Require, _) => {
            let verifier = Arc::new(Lenient { chain: None, provider });
            builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
        }
    };
    Ok(MakeRustlsConnect::new(config))
}

fn trusted(roots: Option<&Path>) -> Result<Arc<RootCertStore>, InboxError> {
    let mut store = RootCertStore::empty();
    match roots {
        Some(path) => {
            let failed = |error: &(dyn std::error::Error + 'static)| {
                InboxError::caused(format_args!("sslrootcert {} cannot be used", path.display()), error)
            };
            let certificates =
                CertificateDer::pem_file_iter(path).map_err(|error| failed(&error))?.collect::<Vec<_>>();
            for certificate in certificates {
                let certificate = certificate.map_err(|error| failed(&error))?;
                store.add(certificate).map_err(|error| failed(&error))?;
            }
        }
        None => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if store.is_empty() {
        return Err(InboxError::new("there is no certificate to trust: name a file of them as sslrootcert"));
    }
    Ok(Arc::new(store))
}

/// Accepts any certificate, or with `chain` any that a trusted authority has signed, whatever its name. In any case it verifies
/// that the server has the certificate's key.
#[derive(Debug)]
struct Lenient {
    chain: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        match chain.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
