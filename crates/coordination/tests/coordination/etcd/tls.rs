//! An etcd that speaks TLS, and one that asks for a client's certificate.

use std::process::Command;

use anyhow::{Result, ensure};
use drl_coordination::{Coordination, Etcd, Fault, InvalidOptions, Tls, TxnError, WatchOptions};
use drl_test_etcd::Server;

use super::{key, prefix};
use crate::support::{CALL, create, snapshot, write};

/// A directory with an authority, a server's certificate for 127.0.0.1 and a client's, made by openssl; `None` without openssl.
fn certificates() -> Result<Option<tempfile::TempDir>> {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("skipped: no openssl here");
        return Ok(None);
    }
    let directory = tempfile::TempDir::new()?;
    let script = r"
        set -e
        openssl ecparam -name prime256v1 -genkey -noout -out ca.key
        openssl req -x509 -new -key ca.key -subj /CN=ca -days 2 -out ca.pem
        for who in server client; do
            openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out $who.key
            openssl req -new -key $who.key -subj /CN=$who -out $who.csr
            printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n' >ext
            openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out $who.pem
        done";
    let made = Command::new("sh").args(["-c", script]).current_dir(directory.path()).output()?;
    ensure!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
    Ok(Some(directory))
}

#[tokio::test]
async fn a_certificate_says_who_the_client_is() -> Result<()> {
    let Some(directory) = certificates()? else { return Ok(()) };
    let path = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
    let file = |name: &str| std::fs::read(directory.path().join(name));
    let (ca, cert, server_key) = (path("ca.pem"), path("server.pem"), path("server.key"));
    let files = ["--cert-file", &cert, "--key-file", &server_key, "--client-cert-auth", "--trusted-ca-file", &ca];
    let Some(server) = Server::start_tls(&files)? else { return Ok(()) };

    let mut options = crate::support::options(&server)?;
    assert!(matches!(Etcd::new(options.clone()).await, Err(InvalidOptions::NoCa { .. })));
    options.tls = Some(Tls::new(file("ca.pem")?, Some(file("client.pem")?), Some(file("client.key")?))?);
    let etcd = Etcd::new(options.clone()).await?;
    write(&etcd, &key("a"), "1").await?;
    let mut watch = etcd.watch(prefix(""), WatchOptions::default());
    assert_eq!(snapshot(&mut watch).await?.len(), 1);

    // Without a certificate, and with an authority that did not sign etcd's.
    options.tls = Some(Tls::new(file("ca.pem")?, None, None)?);
    let answer = Etcd::new(options.clone()).await?.transact(create(&key("b"), "1"), CALL).await;
    assert!(
        matches!(answer, Err(TxnError::Unknown(Fault::Unreachable { .. }) | TxnError::Unavailable(_))),
        "{answer:?}"
    );
    options.tls = Some(Tls::new(file("client.pem")?, None, None)?);
    let error = Etcd::new(options.clone()).await?.transact(create(&key("b"), "1"), CALL).await.unwrap_err();
    let TxnError::Unavailable(Fault::Unreachable { reason, .. }) = &error else { panic!("{error:?}") };
    assert!(reason.contains("certificate"), "{reason}");

    let garbage = b"-----BEGIN CERTIFICATE-----\nnot base64!\n-----END CERTIFICATE-----\n".to_vec();
    options.tls = Some(Tls::new(garbage, None, None)?);
    assert!(matches!(Etcd::new(options).await, Err(InvalidOptions::Tls { .. })));
    Ok(())
}
