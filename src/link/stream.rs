//! TCP or TLS, as configured.

use crate::config::Tls;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// A connection to a hypervisor.
#[derive(Debug)]
pub enum Stream {
    /// In the clear.
    Tcp(TcpStream),
    /// TLS, both sides verified.
    Tls(Box<tokio_rustls::TlsStream<TcpStream>>),
}

/// Takes accepted sockets to streams.
#[derive(Clone)]
pub enum Acceptor {
    /// In the clear.
    Tcp,
    /// TLS: the peer must show a certificate of our authority.
    Tls(TlsAcceptor),
}

/// Takes dialled sockets to streams.
#[derive(Clone)]
pub struct Connector {
    tls: Option<TlsConnector>,
}

/// What is wrong with the certificates.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file holds no usable PEM.
    #[error("{path}: {source}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// A file holds no certificate.
    #[error("{0}: no certificate in it")]
    Empty(PathBuf),
    /// Certificate, key and authority do not make a valid setting.
    #[error("certificates: {0}")]
    Setting(#[from] rustls::Error),
    /// The authority cannot verify peers.
    #[error("certificates: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// What accepts and what dials, in the clear without `tls`.
///
/// # Errors
/// A certificate, the key or the authority cannot be used.
pub fn endpoints(tls: Option<&Tls>) -> Result<(Acceptor, Connector), TlsError> {
    let Some(tls) = tls else { return Ok((Acceptor::Tcp, Connector { tls: None })) };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&tls.ca)? {
        roots.add(certificate)?;
    }
    let roots = Arc::new(roots);
    let chain = certificates(&tls.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|source| pem(&tls.key, source))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider)).build()?;
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain.clone(), key.clone_key())?;
    let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(SignedByAuthority(
            WebPkiServerVerifier::builder_with_provider(roots, provider).build()?,
        )))
        .with_client_auth_cert(chain, key)?;
    Ok((
        Acceptor::Tls(TlsAcceptor::from(Arc::new(server))),
        Connector { tls: Some(TlsConnector::from(Arc::new(client))) },
    ))
}

/// Takes every certificate of the authority, whatever name it carries.
///
/// Hypervisors are dialled by address, and certificates of `ovs-pki` name none: as with Open vSwitch itself, it is the
/// authority's signature that counts.
#[derive(Debug)]
struct SignedByAuthority(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for SignedByAuthority {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use rustls::CertificateError::{NotValidForName, NotValidForNameContext};
        // The name is looked at last, after the chain, its dates and its purpose.
        match self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })) => {
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Vec<_> =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(|source| pem(path, source))?;
    if found.is_empty() { Err(TlsError::Empty(path.into())) } else { Ok(found) }
}

fn pem(path: &Path, source: rustls::pki_types::pem::Error) -> TlsError {
    TlsError::Pem { path: path.into(), source }
}

impl Acceptor {
    /// Makes the socket a stream.
    ///
    /// # Errors
    /// The socket breaks, or the peer's certificate is not accepted.
    pub async fn accept(&self, socket: TcpStream) -> io::Result<Stream> {
        socket.set_nodelay(true)?;
        match self {
            Self::Tcp => Ok(Stream::Tcp(socket)),
            Self::Tls(acceptor) => {
                let stream = tokio::time::timeout(HANDSHAKE, acceptor.accept(socket)).await??;
                Ok(Stream::Tls(Box::new(stream.into())))
            }
        }
    }
}

impl Connector {
    /// Dials `tcp:ADDRESS:PORT` or `ssl:ADDRESS:PORT`.
    ///
    /// # Errors
    /// The target is neither, TLS is asked for but not configured, the peer cannot be reached or is not accepted.
    pub async fn connect(&self, target: &str) -> io::Result<Stream> {
        let bad = |text: String| io::Error::new(io::ErrorKind::InvalidInput, text);
        let (scheme, address) = target.split_once(':').ok_or_else(|| bad(format!("'{target}' is no target")))?;
        let socket = tokio::time::timeout(HANDSHAKE, TcpStream::connect(address)).await??;
        socket.set_nodelay(true)?;
        match (scheme, &self.tls) {
            ("tcp", _) => Ok(Stream::Tcp(socket)),
            ("ssl", Some(connector)) => {
                let name = ServerName::from(socket.peer_addr()?.ip());
                let stream = tokio::time::timeout(HANDSHAKE, connector.connect(name, socket)).await??;
                Ok(Stream::Tls(Box::new(stream.into())))
            }
            ("ssl", None) => Err(bad(format!("'{target}' needs [tls] in the configuration"))),
            _ => Err(bad(format!("'{target}' is neither tcp: nor ssl:"))),
        }
    }
}

impl Stream {
    /// The socket beneath.
    pub fn socket(&self) -> &TcpStream {
        match self {
            Self::Tcp(socket) => socket,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
