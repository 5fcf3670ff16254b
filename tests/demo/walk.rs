//! The check of the demo: a visitor signs in and out.

use oxd_tests::{Browser, Visitor, wait_until};
use url::Url;

use crate::servers::Servers;

/// Fails by panicking, as the bed does.
pub fn walk(servers: &Servers) {
    let site = &servers.site();
    let provider = &format!("{}/*", servers.provider());
    let at = |path: &str| format!("{site}{path}");
    let mut visitor = Visitor::new(Browser::new());

    visitor.visit(at("/"));
    visitor.expect(
        "the public page is public",
        200,
        &at("/"),
        &["This page is public"],
    );
    visitor.visit(at("/").replace("127.0.0.1", "localhost"));
    visitor.expect("another name leads to the registered one", 200, &at("/"), &[]);
    visitor.visit(at("/oxd"));
    visitor.expect(
        "signed out, /oxd offers to sign in",
        200,
        &at("/oxd"),
        &["/oxd/login"],
    );
    let session = at("/oxd/session");
    visitor.visit(&session);
    visitor.expect(
        "signed out, there is no session",
        401,
        &session,
        &["\"active\":false"],
    );

    let page = at("/private/?page=1&x=a%20b");
    let password = &["type=\"password\""];
    visitor.visit(&page);
    visitor.expect("a protected page leads to the provider", 200, provider, password);
    visitor.give_password("wrong");
    visitor.expect("a wrong password signs nobody in", 200, provider, password);
    visitor.sign_in();
    let claims = [
        "REMOTE_USER",
        "OXD_CLAIM_sub",
        "OXD_CLAIM_email",
        "test_user@example.org",
        "Hello, Test User",
    ];
    visitor.expect(
        "the right one leads back, with the user's claims",
        200,
        &page,
        &claims,
    );
    visitor.visit(&session);
    visitor.expect(
        "signed in, there is a session",
        200,
        &session,
        &["\"active\":true"],
    );
    visitor.visit(at("/oxd"));
    let texts = ["test_user@example.org", "/oxd/logoutme"];
    visitor.expect(
        "signed in, /oxd says who, and offers to sign out",
        200,
        &at("/oxd"),
        &texts,
    );

    visitor.visit(at("/oxd/logoutme"));
    visitor.expect(
        "signing out ends at the signed-out page",
        200,
        &at("/oxd/logout*"),
        &[],
    );
    visitor.visit(&session);
    visitor.expect(
        "after that there is no session",
        401,
        &session,
        &["\"active\":false"],
    );
    visitor.visit(at("/private/"));
    visitor.expect("nor one at the provider", 200, provider, password);

    api(servers, &mut visitor);
    rules(servers);
    form(servers);
    album(servers);
    everywhere(servers);
    home(servers);

    let tutorial = at("/cgi-bin/oxd.py");
    visitor.visit(&tutorial);
    let texts = ["/cgi-bin/oxd.py/login"];
    visitor.expect("the tutorial's address offers to sign in", 200, &tutorial, &texts);
    visitor.visit(at("/cgi-bin/oxd.py/login"));
    visitor.sign_in();
    let texts = ["test_user@example.org", "/cgi-bin/oxd.py/logoutme"];
    visitor.expect(
        "its sign-in ends there, signed in",
        200,
        &at("/cgi-bin/oxd.py*"),
        &texts,
    );
    visitor.visit(at("/cgi-bin/oxd.py/logoutme"));
    let address = at("/cgi-bin/oxd.py/logout*");
    visitor.expect("its sign-out ends at its signed-out page", 200, &address, &[]);
}

/// Somebody who has signed in at this page, or has come as far as that leads.
fn signed_in(servers: &Servers, page: &str, user: &str) -> Visitor {
    let mut visitor = Visitor::new(Browser::new());
    visitor.visit(format!("{}{page}", servers.site()));
    visitor.submit("sign-in", &[("username", user), ("password", "secret")]);
    visitor.submit("allow", &[]);
    visitor
}

/// A page for a group, and one for a method of signing in.
fn rules(servers: &Servers) {
    servers.httpd.allow_log("client denied by server configuration");
    let at = |path: &str| format!("{}{path}", servers.site());
    let staff = at("/staff/");
    signed_in(servers, "/staff/", "other_user").expect(
        "who is not in the group is refused",
        403,
        &staff,
        &[],
    );
    let mut visitor = signed_in(servers, "/staff/", "test_user");
    visitor.expect("who is in it sees the page", 200, &staff, &["For staff"]);
    visitor.visit(at("/vault/"));
    let provider = &format!("{}/*", servers.provider());
    let password = &["type=\"password\""];
    visitor.expect("the vault asks for another sign-in", 200, provider, password);
    visitor.sign_in();
    visitor.expect("after which it opens", 200, &at("/vault/"), &["The vault"]);
}

/// A form that somebody sends who is signed out.
fn form(servers: &Servers) {
    let at = |path: &str| format!("{}{path}", servers.site());
    let mut visitor = Visitor::new(Browser::new());
    let text = "a <b>long</b> text & more";
    visitor.visit(at("/form/"));
    visitor.expect("a form is open to everybody", 200, &at("/form/"), &["send-text"]);
    visitor.submit("send-text", &[("text", text)]);
    visitor.expect("a form is kept", 401, &at("/form/send/"), &["value=\"a "]);
    let kept = visitor.page().clone();
    visitor.visit(at("/private/"));
    visitor.sign_in();
    visitor.show(kept);
    visitor.submit("send", &[]);
    let arrived = &["a &lt;b&gt;long&lt;/b&gt; text &amp; more"];
    visitor.expect("and arrives after the sign-in", 200, &at("/form/send/"), arrived);
}

/// The administrator ends all sessions.
fn everywhere(servers: &Servers) {
    let at = |path: &str| format!("{}{path}", servers.site());
    let mut two = ["test_user", "other_user"].map(|user| signed_in(servers, "/private/", user));
    let mut administrator = Visitor::new(Browser::new());
    let texts = &["Logins work"];
    administrator.visit(at("/oxd-status"));
    administrator.expect(
        "the status page says how things are",
        200,
        &at("/oxd-status"),
        texts,
    );
    administrator.submit("end-all", &[]);
    administrator.expect(
        "it asks before it ends all sessions",
        200,
        &at("/oxd-status"),
        &["confirmed"],
    );
    administrator.submit("end-all", &[]);
    for visitor in &mut two {
        visitor.visit(at("/oxd/session"));
        let texts = &["\"active\":false"];
        visitor.expect(
            "with one button everybody is signed out",
            401,
            &at("/oxd/session"),
            texts,
        );
    }
    administrator.visit(at("/oxd-metrics"));
    administrator.expect(
        "metrics are for Prometheus",
        200,
        &at("/oxd-metrics"),
        &["# TYPE oxd_"],
    );
    let health = at("/oxd-health/ready");
    wait_until("the sites to be looked at", || {
        administrator.visit(&health);
        administrator.page().status == 200
    });
    administrator.expect("and health is for a load balancer", 200, &health, &["ready"]);
}

/// Everything that the first page leads to is there.
fn home(servers: &Servers) {
    let home = format!("{}/", servers.site());
    let visitor = signed_in(servers, "/private/", "test_user");
    let page = visitor.browser.get(&home).page();
    let targets: Vec<_> = page.all("a").filter_map(|link| link.attribute("href")).collect();
    // Signing out is walked above, and would change what the others show.
    for target in targets.iter().filter(|target| **target != "/oxd/logoutme") {
        let target = Url::parse(&home)
            .and_then(|home| home.join(target))
            .expect("an address");
        let answer = visitor.browser.copy().follow(&target);
        answer.expect(200);
    }
    println!(
        "  ok  each of the {} links of the first page leads somewhere",
        targets.len()
    );
}

/// The photo album of the demo: one user asks for it, its owner grants it.
fn album(servers: &Servers) {
    let album = &format!("{}/photos/", servers.site());
    let provider = &format!("{}/*", servers.provider());
    let arrive = |user: &str| {
        let mut visitor = Visitor::new(Browser::new());
        visitor.visit(album);
        visitor.submit("sign-in", &[("username", user), ("password", "secret")]);
        visitor.submit("allow", &[]);
        visitor
    };
    servers.httpd.allow_log("client denied by server configuration");
    let mut other = arrive("other_user");
    let texts = &["/photos/"];
    other.expect(
        "who does not own the album is asked to confirm",
        200,
        provider,
        texts,
    );
    other.submit("confirm", &[]);
    let texts = &["The owner has been asked"];
    other.expect("the owner is asked", 403, album, texts);
    let mut owner = arrive("test_user");
    owner.expect("the owner sees the album", 200, album, &["Photo album"]);
    owner.visit(servers.owners_page());
    owner.expect("and who asks for it", 200, provider, &["other_user"]);
    owner.submit("grant-0", &[]);
    other.visit(album);
    other.expect("to whom it is granted, sees it too", 200, album, &["Photo album"]);
    other.visit(format!("{album}lake.svg"));
    other.expect("with its picture", 200, &format!("{album}lake.svg"), &["<svg"]);
}

/// The API of the demo: a client is refused without a token and comes in with one.
fn api(servers: &Servers, visitor: &mut Visitor) {
    let api = format!("{}/api/", servers.site());
    let client = Browser::trusting(&servers.oxd_certificate());
    let request = std::fs::read(servers.httpd.file("client.json")).expect("the members of get-client-token");
    let ask = client.ask("POST", format!("{}/get-client-token", servers.oxd()));
    let token = ask
        .header("content-type", "application/json")
        .body(request)
        .send()
        .json();
    let token = format!("Bearer {}", token["access_token"].as_str().unwrap_or_default());
    let call = |authorization: &str| {
        let ask = client.ask("GET", &api).header("accept", "application/json");
        ask.header("authorization", authorization).send()
    };
    visitor.show(call("Bearer made-up"));
    visitor.expect(
        "an API client with a made-up token is refused",
        401,
        &api,
        &["invalid_token"],
    );
    visitor.show(call(&token));
    visitor.expect(
        "with a token of its own it is let in",
        200,
        &api,
        &["\"auth\": \"bearer\""],
    );
}
