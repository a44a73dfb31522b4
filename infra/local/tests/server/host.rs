//! Tests of what other machines and web pages reach: the check of the `Host` header, the pages for this machine alone,
//! and CORS.

use crate::running::{Server, folder};
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};

fn port(server: &Server) -> u16 {
    server.url.rsplit_once(':').expect("a port").1.parse().expect("a number")
}

/// Sends a request with exactly these lines to the server at an address; returns its status and all of the answer.
fn ask_at(address: IpAddr, server: &Server, lines: &[&str]) -> (u16, String) {
    let mut connection = TcpStream::connect(SocketAddr::from((address, port(server)))).expect("a connection");
    let request = format!("{}\r\nconnection: close\r\n\r\n", lines.join("\r\n"));
    connection.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("an answer");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("{lines:?}: {answer}")), answer)
}

fn ask(server: &Server, lines: &[&str]) -> (u16, String) {
    ask_at(Ipv4Addr::LOCALHOST.into(), server, lines)
}

#[test]
fn only_requests_to_the_machine_s_own_names_are_answered() {
    let data = folder("host");
    let server = Server::start(&data);
    let check = |lines: &[&str], expected: u16| {
        let (status, answer) = ask(&server, lines);
        assert_eq!(status, expected, "{lines:?}: {answer}");
        if expected == 421 {
            assert!(answer.contains(r#""code":"misdirected""#) && answer.contains("--host NAME"), "{answer}");
            assert!(answer.contains("x-frame-options: DENY") && !answer.contains("access-control-"), "{answer}");
        }
    };
    for own in [
        "localhost",
        "localhost:3000",
        "LOCALHOST",
        "localhost.",
        "app.localhost:3000",
        "127.0.0.1",
        "127.0.0.1:3000",
        "127.8.8.8",
        "[::1]",
        "[::1]:3000",
    ] {
        check(&["GET /health HTTP/1.1", &format!("host: {own}")], 200);
    }
    for other in [
        "evil.example",
        "evil.example:3000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "user@localhost",
        "localhost:3000@evil.example",
        "localhost, evil.example",
        "localhost:x",
        "192.168.1.5",
        "0.0.0.0",
        "[::]",
        "",
    ] {
        check(&["GET /health HTTP/1.1", &format!("host: {other}")], 421);
    }
    for path in ["/", "/nowhere", "/api/leads", "/contact", "/_local/mail", "/_local/files/a"] {
        check(&[&format!("GET {path} HTTP/1.1"), "host: evil.example", "origin: http://localhost:5173"], 421);
    }
    check(&["GET /health HTTP/1.1"], 421);
    check(&["GET /health HTTP/1.0"], 421);
    check(&["GET /health HTTP/1.1", "host: localhost", "host: localhost"], 421);
    check(&["GET /health HTTP/1.1", "host: localhost", "host: evil.example"], 421);
    check(&["GET http://localhost/health HTTP/1.1", "host: localhost"], 200);
    check(&["GET http://evil.example/health HTTP/1.1", "host: localhost"], 421);
    check(&["GET http://localhost/health HTTP/1.0"], 421);
    server.kill();
    let _ = std::fs::remove_dir_all(&data);
}

#[test]
fn further_hosts_are_answered_but_not_with_the_pages_of_this_machine() {
    let data = folder("further-host");
    let server = Server::start_for(&data, &["CRM.example", "0.0.0.0"]);
    for (path, host, expected) in [
        ("/health", "crm.example:3000", 200),
        ("/contact", "crm.example", 200),
        ("/health", "other.example", 421),
        ("/health", "0.0.0.0", 421),
        ("/_local/", "crm.example", 403),
        ("/_local/mail", "crm.example", 403),
        ("/_local/nothing", "crm.example", 403),
        ("/_local/mail", "localhost", 200),
        ("/_local/nothing", "localhost", 404),
    ] {
        let (status, answer) = ask(&server, &[&format!("GET {path} HTTP/1.1"), &format!("host: {host}")]);
        assert_eq!(status, expected, "{path} at {host}: {answer}");
        assert!(expected != 403 || answer.contains("the server's own machine"), "{answer}");
    }
    // The address that connections to other machines would come from; no packet is sent.
    let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    let own = socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr()).map(|address| address.ip());
    match own {
        Ok(own) if !own.is_loopback() && !own.is_unspecified() => {
            for (path, expected) in [("/health", 200), ("/_local/mail", 403)] {
                let (status, answer) = ask_at(own, &server, &[&format!("GET {path} HTTP/1.1"), "host: localhost"]);
                assert_eq!(status, expected, "{path} at {own}: {answer}");
            }
        }
        _ => eprintln!("this machine has no network, so a connection from another address wasn't tested"),
    }
    server.kill();
    let _ = std::fs::remove_dir_all(&data);
}

#[test]
fn pages_of_other_origins_neither_open_nor_read_the_pages_of_this_machine() {
    let data = folder("other-origin");
    let server = Server::start(&data);
    for path in ["/_local", "/_local/", "/_local/mail", "/_local/sync"] {
        let get = format!("GET {path} HTTP/1.1");
        for (site, expected) in [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)] {
            let (status, answer) = ask(&server, &[&get, "host: localhost", &format!("sec-fetch-site: {site}")]);
            assert_eq!(status, expected, "{path}, {site}: {answer}");
        }
        let twice = ask(&server, &[&get, "host: localhost", "sec-fetch-site: none", "sec-fetch-site: cross-site"]);
        assert_eq!(twice.0, 403, "{}", twice.1);
    }
    for header in [
        "forwarded: for=192.0.2.1",
        "via: 1.1 proxy",
        "x-forwarded-for: 192.0.2.1",
        "X-Forwarded-Host: crm.example",
        "x-real-ip: 127.0.0.1",
    ] {
        for (path, expected) in [("/_local/mail", 403), ("/_local/nothing", 403), ("/health", 200)] {
            let (status, answer) = ask(&server, &[&format!("GET {path} HTTP/1.1"), "host: localhost", header]);
            assert_eq!(status, expected, "{path}, {header}: {answer}");
            assert!(expected != 403 || answer.contains("the server's own machine"), "{answer}");
        }
    }
    let post = ask(&server, &["POST /_local/backup HTTP/1.1", "host: localhost", "sec-fetch-site: cross-site"]);
    assert!(post.0 == 403 && post.1.contains("other origins"), "{}", post.1);
    for path in ["/_local/", "/_local/mail", "/_local/files/a", "/_local/nothing", "/contact", "/snippets"] {
        for method in ["GET", "OPTIONS"] {
            let line = format!("{method} {path} HTTP/1.1");
            let asked = "access-control-request-method: GET";
            let (_, answer) = ask(&server, &[&line, "host: localhost", "origin: http://localhost:5173", asked]);
            assert!(!answer.contains("access-control-"), "{line}: {answer}");
            assert!(answer.contains("x-frame-options: DENY"), "{line}: {answer}");
        }
    }
    server.kill();
    let _ = std::fs::remove_dir_all(&data);
}

#[tokio::test]
async fn pages_of_this_machine_read_the_api_and_pages_of_any_origin_post_forms() {
    let data = folder("cors");
    let server = Server::start_with(&data, &[("ALLOWED_ORIGINS", "https://app.example.com")]);
    let client = reqwest::Client::new();
    let allowed = async |request: reqwest::RequestBuilder, origin: &str| {
        let answer = request.header("origin", origin).send().await.expect("an answer");
        answer.headers().get("access-control-allow-origin").is_some_and(|allowed| allowed == origin)
    };
    for (origin, expected) in [
        ("http://localhost:5173", true),
        ("http://127.0.0.1:8080", true),
        ("http://[::1]:3001", true),
        ("https://localhost", true),
        ("https://app.example.com", true),
        ("https://evil.example", false),
        ("http://localhost.evil.example", false),
        ("null", false),
    ] {
        let read = client.get(format!("{}/api/leads", server.url));
        assert_eq!(allowed(read, origin).await, expected, "{origin}");
        let form = client.post(format!("{}/api/leads", server.url)).json(&json!({"email": "ada@example.com"}));
        assert!(allowed(form, origin).await, "{origin}");
        let preflight = |method: &str| {
            let asked = client.request(reqwest::Method::OPTIONS, format!("{}/api/leads", server.url));
            asked.header("access-control-request-method", method)
        };
        assert!(allowed(preflight("POST"), origin).await, "{origin}");
        for method in ["GET", "DELETE", "post"] {
            assert_eq!(allowed(preflight(method), origin).await, expected, "{method} from {origin}");
        }
    }
    server.kill();
    let _ = std::fs::remove_dir_all(&data);
}
