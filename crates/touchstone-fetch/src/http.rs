//! The HTTP client: it follows nothing, tells nothing, unpacks nothing and goes through nobody.

use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::Resolve;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, retry};
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls_platform_verifier::BuilderVerifierExt;

use crate::error::FetchError;
use crate::settings::FetchSettings;

/// Idle connections are kept this long, because photos of one seller come together.
const IDLE: Duration = Duration::from_secs(20);

/// What the client asks for: the formats that can be decoded, and no page in their place.
const PICTURES: &str = "image/jpeg, image/png, image/webp, image/gif, image/bmp, image/*;q=0.5";

/// More lines than any honest photo's head has. All of them together are held to 400 KiB by the client's buffer.
const MAX_HEADERS: usize = 64;

/// The client that is given addresses by `resolver` alone. What is switched off here is off already with the features this
/// crate asks for; but any crate of the same build could switch it on.
pub(crate) fn client(settings: &FetchSettings, resolver: Arc<dyn Resolve>) -> Result<Client, FetchError> {
    Client::builder()
        .tls_backend_preconfigured(tls()?)
        .dns_resolver(resolver)
        .redirect(Policy::none())
        .retry(retry::never())
        .no_proxy()
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
        .referer(false)
        .http1_only()
        .http1_max_headers(MAX_HEADERS)
        .connect_timeout(settings.connect_timeout)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(settings.max_concurrent_per_host.get())
        .user_agent(concat!("touchstone/", env!("CARGO_PKG_VERSION")))
        .default_headers(HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(PICTURES))]))
        .build()
        .map_err(FetchError::Client)
}

/// HTTP/1.1 over TLS 1.2 or 1.3, with the machine's own root certificates.
fn tls() -> Result<ClientConfig, FetchError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(BuilderVerifierExt::with_platform_verifier)
        .map_err(FetchError::Tls)?;
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use reqwest::dns::{Addrs, Name, Resolving};
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use rustls::{AlertDescription, CertificateError, ServerConfig, ServerConnection};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::error::Problem;

    /// Finds every name on loopback, which no resolver of the product may, and counts how often it is asked.
    #[derive(Default)]
    struct Loopback(AtomicUsize);

    impl Resolve for Loopback {
        fn resolve(&self, _: Name) -> Resolving {
            self.0.fetch_add(1, Ordering::Relaxed);
            let addresses: Addrs = Box::new([([127, 0, 0, 1], 0).into()].into_iter());
            Box::pin(async move { Ok(addresses) })
        }
    }

    #[tokio::test]
    async fn https_speaks_tls_and_takes_no_other_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://photos.lumora.example:{}/", listener.local_addr().unwrap().port());
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut hello = vec![0; 5];
            stream.read_exact(&mut hello).await.unwrap();
            assert_eq!(hello[..2], [22, 3], "a TLS handshake record");
            let mut rest = vec![0; usize::from(u16::from_be_bytes([hello[3], hello[4]]))];
            stream.read_exact(&mut rest).await.unwrap();
            for expected in [b"photos.lumora.example".as_slice(), b"\x08http/1.1"] {
                assert!(
                    rest.windows(expected.len()).any(|window| window == expected),
                    "the server's name, the protocol"
                );
            }
            // The client may have gone already.
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        };
        let resolver = Arc::new(Loopback::default());
        let client = client(&FetchSettings::default(), Arc::clone(&resolver) as _).unwrap();
        let (answer, ()) = tokio::join!(client.get(url).send(), server);
        assert!(Problem::from(answer.unwrap_err()).may_pass(), "no connection");
        assert_eq!(resolver.0.load(Ordering::Relaxed), 1, "resolved once, and that is connected to");
    }

    #[tokio::test]
    async fn a_certificate_that_nobody_vouches_for_is_refused_before_anything_is_asked() {
        // Made by tests/certificate/README.md for photos.lumora.example.
        let certificate =
            CertificateDer::from(include_bytes!("../tests/certificate/self-signed.der").to_vec());
        let key = PrivateKeyDer::try_from(include_bytes!("../tests/certificate/key.der").to_vec()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://photos.lumora.example:{}/", listener.local_addr().unwrap().port());
        let server = tokio::task::spawn_blocking(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut connection = ServerConnection::new(Arc::new(config)).unwrap();
            let mut request = Vec::new();
            // One byte of a request would be one too many, and is not waited beyond.
            let end = rustls::Stream::new(&mut connection, &mut stream).take(1).read_to_end(&mut request);
            (request, end.map_err(|error| error.into_inner().unwrap().downcast::<rustls::Error>().unwrap()))
        });
        let client = client(&FetchSettings::default(), Arc::new(Loopback::default())).unwrap();
        let problem = Problem::from(client.get(url).send().await.unwrap_err());
        let Problem::Connect(error) = &problem else { panic!("{problem:?}") };
        let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        assert!(format!("{error:?}").contains(&format!("{unknown:?}")), "{error:?}");
        let (request, end) = server.await.unwrap();
        assert!(request.is_empty(), "nothing is asked");
        assert_eq!(*end.unwrap_err(), rustls::Error::AlertReceived(AlertDescription::UnknownCA));
    }
}
