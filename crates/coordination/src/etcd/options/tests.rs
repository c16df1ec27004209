//! What is refused before etcd is asked, and what never prints.

use super::*;

const CERT: &[u8] = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const KEY: &[u8] = b"-----BEGIN EC PRIVATE KEY-----\ntooprivate\n-----END EC PRIVATE KEY-----\n";

#[test]
fn urls_are_read_and_the_port_may_be_left_out() {
    let options = EtcdOptions::new("http://10.0.0.1:2379, http://etcd-2/,http://[::1]:22379").unwrap();
    let urls: Vec<_> = options.endpoints.iter().map(Endpoint::url).collect();
    assert_eq!(urls, ["http://10.0.0.1:2379", "http://etcd-2:2379", "http://[::1]:22379"]);
    assert_eq!(options.check(), Ok(()));
}

#[test]
fn wrong_urls_are_refused_with_the_reason() {
    for url in [
        "",
        "127.0.0.1:2379",
        "etcd",
        "ftp://etcd:2379",
        "http://",
        "http://:2379",
        "http://etcd:0",
        "http://etcd:99999",
        "http://etcd:",
        "http://etcd:2379/v3",
        "http://etcd:2379?a=b",
        "http://a b",
        "http://etcd:2379,",
    ] {
        assert!(matches!(EtcdOptions::new(url), Err(InvalidOptions::Url { .. })), "{url}");
    }
    let many = vec!["http://etcd"; 17].join(",");
    assert_eq!(EtcdOptions::new(&many).unwrap_err(), InvalidOptions::EndpointCount { sent: 17 });
}

#[test]
fn a_password_in_a_url_is_refused_and_not_repeated() {
    let error = EtcdOptions::new("http://root:hunter2@etcd:2379").unwrap_err();
    assert_eq!(error, InvalidOptions::UserInUrl);
    assert!(!error.to_string().contains("hunter2"));
}

#[test]
fn credentials_are_read_and_never_print() {
    let credentials = Credentials::parse("drl:hun:ter2").unwrap();
    assert_eq!((credentials.user.as_str(), credentials.password.expose()), ("drl", &b"hun:ter2"[..]));
    let mut options = EtcdOptions::new("http://etcd").unwrap();
    options.credentials = Some(credentials);
    options.tls = Some(Tls::new(CERT.to_vec(), Some(CERT.to_vec()), Some(KEY.to_vec())).unwrap());
    let printed = format!("{options:?}");
    assert!(!printed.contains("ter2") && !printed.contains("tooprivate") && printed.contains("drl"), "{printed}");
    for wrong in ["", "drl", ":x", "drl:"] {
        assert!(matches!(Credentials::parse(wrong), Err(InvalidOptions::Credentials)), "{wrong}");
    }
}

#[test]
fn certificates_are_checked_as_far_as_they_can_be() {
    let tls =
        |cert: Option<&[u8]>, key: Option<&[u8]>| Tls::new(CERT.to_vec(), cert.map(Into::into), key.map(Into::into));
    assert!(tls(None, None).is_ok());
    assert!(matches!(tls(Some(CERT), None), Err(InvalidOptions::HalfIdentity)));
    assert!(matches!(tls(None, Some(KEY)), Err(InvalidOptions::HalfIdentity)));
    assert!(matches!(tls(Some(KEY), Some(CERT)), Err(InvalidOptions::Identity)));
    assert!(matches!(Tls::new(KEY.to_vec(), None, None), Err(InvalidOptions::Ca)));
    let mut options = EtcdOptions::new("https://etcd").unwrap();
    assert!(matches!(options.check(), Err(InvalidOptions::NoCa { .. })));
    options.tls = Some(tls(None, None).unwrap());
    assert_eq!(options.check(), Ok(()));
    options.endpoints = EtcdOptions::new("http://etcd").unwrap().endpoints;
    assert!(matches!(options.check(), Err(InvalidOptions::NotTls { .. })));
}
