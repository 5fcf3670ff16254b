//! The configurations of all pages are read by httpd, and some of `docs/RECIPES.md` are walked through.

use std::fs;
use std::path::{Path, PathBuf};

use oxd_tests::{Browser, Builder, DEMO_SUB, Httpd, TestSite, begin, sign_in};
use serde_json::json;

/// Modules that one recipe or another needs, besides those that the bed always loads.
const MODULES: [&str; 4] = ["proxy", "proxy_http", "include", "socache_redis"];

/// How the block for a directory's own file begins.
const HTACCESS: &str = "# .htaccess\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The blocks of the recipes in one language, each with the heading that it stands under.
fn blocks(language: &str) -> Vec<(String, String)> {
    blocks_of(&root().join("docs/RECIPES.md"), language)
}

/// The blocks of a page in one language, each with the heading that it stands under.
fn blocks_of(page: &Path, language: &str) -> Vec<(String, String)> {
    let page = fs::read_to_string(page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
    let fence = format!("```{language}");
    let (mut heading, mut found) = (String::new(), Vec::new());
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix("## ") {
            title.clone_into(&mut heading);
        } else if line == fence {
            let block = lines.by_ref().take_while(|line| *line != "```");
            let block: String = block.flat_map(|line| [line, "\n"]).collect();
            found.push((heading.clone(), block));
        }
    }
    found
}

/// One of the recipes, for a site of the test's own.
#[track_caller]
fn recipe(heading: &str, holds: &str) -> String {
    let found = blocks("apache").into_iter();
    let mut found = found.filter(|(title, block)| title == heading && block.contains(holds));
    let (_, block) = found
        .next()
        .unwrap_or_else(|| panic!("no {holds:?} below {heading:?}"));
    block
}

/// Puts the files of the test in the place of the recipes' ones.
fn at_home(block: &str) -> String {
    block
        .replace("/etc/apache2/oxd", "${ROOT}/oxd")
        .replace("/var/www/html", "${DOCROOT}")
        .replace("${APACHE_LOG_DIR}", "${ROOT}")
}

fn with_files(builder: Builder) -> Builder {
    for name in ["blue", "green", "oxd-site"] {
        let site = json!({
            "oxd_id": format!("id-of-{name}"), "client_id": "client", "client_secret": "secret",
            "op_host": "https://op.example.org",
        });
        builder.file(&format!("oxd/{name}.json"), &site.to_string());
    }
    for name in [
        "oxd-key",
        "oxd-key.old",
        "oxd-secret",
        "oxd-store.password",
        "oxd-sentinel.password",
    ] {
        builder.file(
            &format!("oxd/{name}"),
            "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n",
        );
    }
    builder.file("oxd/pages/error.html", "{{ title }}");
    let resources = json!({"resources": [
        {"path": "/photos/?", "conditions": [{"httpMethods": ["GET"], "scopes": ["see"]}]},
    ]});
    builder.file("oxd/resources.json", &resources.to_string());
    let authority = oxd_tests::Authority::new();
    for name in ["oxd-server.pem", "oxd-store-ca.pem"] {
        builder.file(&format!("oxd/{name}"), &authority.certificate_pem);
    }
    let client = authority.certify();
    builder.file("oxd/oxd-store-client.pem", &client.certificate_pem);
    builder.file("oxd/oxd-store-client.key", &client.key_pem);
    MODULES.into_iter().fold(builder, Builder::load)
}

#[test]
fn httpd_reads_every_configuration() {
    let blocks = blocks("apache");
    let (_, server) = &blocks[0];
    assert!(blocks.len() > 15 && server.contains("OxdServer "), "{server}");
    let mut wrong = Vec::new();
    for (heading, block) in &blocks[1..] {
        if block.starts_with(HTACCESS) {
            continue;
        }
        let builder = with_files(Httpd::builder()).config(&at_home(server));
        let test = builder.config(&at_home(block)).configtest();
        if !test.ok || test.output.contains("[oxd:warn]") || test.output.contains("[oxd:error]") {
            wrong.push(format!("{heading}:\n{block}{}", test.output));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let test = with_files(Httpd::builder()).config(&at_home(server)).configtest();
    assert!(test.ok, "{}", test.output);
}

/// Adds a block of a page. Modules that it loads are loaded from where they are installed; the bed loads our own.
fn with_block(mut builder: Builder, block: &str) -> Builder {
    let mut rest = String::new();
    for line in block.lines() {
        let mut words = line.split_whitespace();
        if words.next() != Some("LoadModule") {
            rest.extend([line, "\n"]);
            continue;
        }
        let name = words.next().and_then(|name| name.strip_suffix("_module"));
        match name.expect("LoadModule has a name") {
            "oxd" => {}
            name => builder = builder.load(name),
        }
    }
    builder.config(&at_home(&rest))
}

/// The pages with configurations, besides the recipes and the reference.
fn other_pages() -> Vec<PathBuf> {
    let docs = fs::read_dir(root().join("docs")).expect("the folder docs");
    let mut pages: Vec<_> = docs.map(|entry| entry.expect("a file of docs").path()).collect();
    pages.retain(|page| {
        let is = |name: &str| page.file_name().is_some_and(|file| file == name);
        let is_page = page.extension().is_some_and(|ending| ending == "md");
        is_page && !is("RECIPES.md") && !is("DIRECTIVES.md")
    });
    pages.push(root().join("README.md"));
    pages.sort();
    pages
}

#[test]
fn httpd_reads_the_configurations_of_the_other_pages() {
    let (_, server) = &blocks("apache")[0];
    let (mut read, mut wrong) = (0, Vec::new());
    for page in other_pages() {
        for (heading, block) in blocks_of(&page, "apache") {
            // A block that does not say which oxd is a part of a configuration that does.
            let whole = block.lines().any(|line| line.starts_with("OxdServer "));
            let builder = with_files(Httpd::builder());
            let builder = if whole {
                builder
            } else {
                builder.config(&at_home(server))
            };
            let test = with_block(builder, &block).configtest();
            // A page may show a second handler for the site of the first.
            let output: String = test
                .output
                .lines()
                .filter(|line| !line.contains("a second SetHandler oxd"))
                .collect();
            if !test.ok || output.contains("[oxd:warn]") || output.contains("[oxd:error]") {
                wrong.push(format!("{}, {heading}:\n{block}{}", page.display(), test.output));
            }
            read += 1;
        }
    }
    assert!(read > 10, "only {read} configurations were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn httpd_reads_the_examples_of_the_reference() {
    let examples = blocks_of(&root().join("docs/DIRECTIVES.md"), "apache");
    assert!(examples.len() > 40, "only {} examples were found", examples.len());
    // Each directive is there once, so that all of them make one configuration.
    let builder = with_files(Httpd::builder()).load("socache_redis");
    let builder = examples
        .iter()
        .fold(builder, |builder, (_, block)| with_block(builder, block));
    let place = "<Location /oxd>\nSetHandler oxd\n</Location>";
    let test = builder.config(place).configtest();
    assert!(test.ok, "{}", test.output);
}

#[test]
fn a_directorys_own_file_is_obeyed() {
    let block = blocks("apache")
        .into_iter()
        .find(|(_, block)| block.starts_with(HTACCESS));
    let (_, block) = block.expect("a recipe for .htaccess");
    let place = recipe(".htaccess", "AllowOverride");
    let builder = TestSite::builder().config(&at_home(&place)).httpd(|httpd| {
        httpd.file(
            "docroot/team/.htaccess",
            &block.replace("groups team", "groups staff"),
        );
        httpd.file("docroot/team/page.html", "the team's page");
        httpd
    });
    let site = builder.start();
    let page = sign_in(&Browser::new(), site.url("/team/page.html")).page;
    assert_eq!(page.expect(200).text(), "the team's page");
}

#[test]
fn a_single_page_application_is_told_and_comes_back() {
    let block = recipe("A single-page application with an API", "/api");
    let builder = TestSite::builder().config(&block).httpd(|httpd| {
        httpd.file("docroot/api/things", "things");
        httpd.file("docroot/spa/index.html", "the application");
        httpd
    });
    let site = builder.start();
    let browser = Browser::new();
    let fetch = |path: &str| {
        let ask = browser.ask("GET", site.url(path));
        ask.header("accept", "application/json")
            .header("sec-fetch-mode", "cors")
            .header("sec-fetch-dest", "empty")
            .send()
    };
    browser.get(site.url("/spa/")).expect(200);
    let refused = fetch("/api/things");
    let body = refused.expect(401).json();
    assert_eq!(body["error"], "login_required");
    let login = body["login"].as_str().expect("where to sign in");
    assert!(login.contains("/oxd/login"), "{body}");
    assert!(refused.set_cookies().is_empty(), "{}", refused.summary());
    assert_eq!(fetch("/oxd/session").expect(401).json(), json!({"active": false}));
    site.expect_commands(&[]);

    let page = sign_in(&browser, site.url("/oxd/login?return_to=%2Fspa%2F%3Fitem%3D7")).page;
    assert_eq!(page.url.as_str(), site.url("/spa/?item=7"));
    assert_eq!(page.expect(200).text(), "the application");
    let session = fetch("/oxd/session").expect(200).json();
    assert_eq!(
        (&session["active"], &session["user"]),
        (&json!(true), &json!(DEMO_SUB))
    );
    assert_eq!(session["claims"]["email"], "test_user@example.org");
    assert!(session["expires_at"].is_u64(), "{session}");
    assert_eq!(fetch("/api/things").expect(200).text(), "things");
    // A login that names no place ends at the application.
    let page = sign_in(&Browser::new(), site.url("/oxd/login")).page;
    assert_eq!(page.url.as_str(), site.url("/spa/"));
}

#[test]
fn a_public_page_greets_whom_it_knows() {
    let block = recipe("Public pages that greet a signed-in user", "INCLUDES");
    let (_, page) = blocks("html").remove(0);
    let builder = TestSite::builder().config(&block).httpd(|httpd| {
        httpd.file("docroot/welcome/index.html", &page);
        httpd.load("include")
    });
    let site = builder.start();
    let stranger = Browser::new().get(site.url("/welcome/"));
    let text = stranger.expect(200).text();
    assert!(text.contains("Sign in") && !text.contains("Hello"), "{text}");
    assert!(stranger.set_cookies().is_empty(), "{}", stranger.summary());
    site.expect_commands(&[]);

    let browser = Browser::new();
    let page = sign_in(&browser, site.url("/oxd/login?return_to=/welcome/")).page;
    let text = page.expect(200).text();
    assert!(
        text.contains("Hello Test User!") && !text.contains("Sign in"),
        "{text}"
    );
    let kept = page.header("cache-control").unwrap_or_default();
    assert!(kept.contains("private"), "{}", page.summary());
}

#[test]
fn a_whole_site_is_protected_and_can_still_be_entered() {
    let block = recipe("A whole site", "acme-challenge");
    let builder = TestSite::builder().unprotected().config(&block).httpd(|httpd| {
        httpd.file("docroot/.well-known/acme-challenge/token", "token");
        httpd.file("docroot/robots.txt", "robots");
        httpd
    });
    let site = builder.start();
    let stranger = Browser::new();
    for (path, text) in [
        ("/.well-known/acme-challenge/token", "token"),
        ("/robots.txt", "robots"),
    ] {
        assert_eq!(stranger.get(site.url(path)).expect(200).text(), text);
    }
    stranger.get(site.url("/oxd")).expect(200);
    stranger.get(site.url("/oxd/session")).expect(401);
    site.expect_commands(&[]);
    for path in ["/", "/1k.bin", "/robots.txt.bak", "/.well-known/other", "/oxdx"] {
        begin(&stranger, site.url(path));
    }
    let browser = Browser::new();
    let page = sign_in(&browser, site.url("/app/other.html")).page;
    assert!(page.expect(200).text().contains("other page"));
    assert_eq!(site.user(&browser).as_deref(), Some(DEMO_SUB));
    browser.get(site.url("/oxd/logoutme")).expect(303);
    begin(&browser, site.url("/"));
}

#[test]
fn a_whole_backend_is_protected_and_the_handler_is_kept_from_it() {
    let block = recipe("A whole site", "ProxyPass");
    let backend = Httpd::builder().without_module().start();
    let block = block.replace("http://127.0.0.1:8080/", &backend.url("/public/"));
    let builder = TestSite::builder().unprotected().config(&block);
    let site = builder
        .httpd(|httpd| httpd.load("proxy").load("proxy_http"))
        .start();
    Browser::new().get(site.url("/oxd/session")).expect(401);
    let browser = Browser::new();
    let environment = sign_in(&browser, site.url("/env")).page.environment();
    assert_eq!(environment["HTTP_OXD_CLAIM_SUB"], DEMO_SUB);
    assert_eq!(site.user(&browser).as_deref(), Some(DEMO_SUB));
}

#[test]
fn the_access_log_names_user_and_claim() {
    let heading = "The user in the access log";
    let claim = at_home(&recipe(heading, "OXD_CLAIM_email")).replace("access.log", "claim.log");
    let email = at_home(&recipe(heading, "SetEnvIfExpr")).replace("access.log", "email.log");
    let site = TestSite::builder().config(&claim).config(&email).start();
    let browser = Browser::new();
    sign_in(&browser, site.url("/app/other.html")).page.expect(200);
    browser.get(site.url("/1k.bin")).expect(200);
    let says = |log: &str, path: &str, user: &str, email: &str| {
        oxd_tests::wait_until(&format!("{log} to name {user} and {email} at {path}"), || {
            let text = fs::read_to_string(site.httpd.file(log)).unwrap_or_default();
            let (begins, ends) = (format!(" {user} ["), format!(" \"{email}\""));
            let fits = |line: &str| line.contains(&begins) && line.contains(path) && line.ends_with(&ends);
            text.lines().any(fits)
        });
    };
    says("claim.log", "/app/other.html", DEMO_SUB, "test_user@example.org");
    says("claim.log", "/1k.bin", "-", "-");
    says("email.log", "/app/other.html", DEMO_SUB, "test_user@example.org");
    says("email.log", "/1k.bin", "-", "test_user@example.org");
}

#[test]
fn logs_in_json_are_json() {
    let block = at_home(&recipe("Logs in JSON", "ErrorLogFormat"));
    let site = TestSite::builder()
        .config(&block.replace("error.json.log", "error.log"))
        .config("<Location /app/closed>\nRequire oxd-claim groups admins\n</Location>")
        .httpd(|httpd| {
            httpd.allow_log(
                r#"client denied by server configuration|provider_error|"level":"(notice|info|debug)""#,
            )
        })
        .start();
    let browser = Browser::new();
    sign_in(&browser, site.url("/app/other.html")).page.expect(200);
    browser.get(site.url("/app/closed?x=%22")).expect(403);
    let said = "/oxd/callback?error=x%22y&error_description=%22%5C%0a&state=s";
    browser.get(site.url(said)).expect(400);
    let text = |file: &str| fs::read_to_string(site.httpd.file(file)).unwrap_or_default();
    oxd_tests::wait_until("the access log", || {
        text("access.json.log").contains("provider_error")
    });
    let read = |line: &str| -> serde_json::Value {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
    };
    let requests: Vec<_> = text("access.json.log").lines().map(read).collect();
    let refused = requests
        .iter()
        .find(|line| line["oxd"] == "forbidden")
        .expect("a refusal");
    assert_eq!(
        (&refused["status"], &refused["user"]),
        (&json!(403), &json!(DEMO_SUB))
    );
    let reference = refused["reference"].as_str().expect("a number");
    let log = text("error.log");
    let lines: Vec<_> = log
        .lines()
        .filter(|line| line.contains("[ref "))
        .map(read)
        .collect();
    let is_its = |line: &&serde_json::Value| {
        let text = line["text"].as_str().unwrap_or_default();
        text.starts_with("forbidden: ") && text.ends_with(&format!("[ref {reference}]"))
    };
    let line = lines.iter().find(is_its).unwrap_or_else(|| panic!("{log}"));
    assert_eq!((&line["module"], &line["level"]), (&json!("oxd"), &json!("info")));
    let trail: Vec<_> = text("oxd-audit.log").lines().map(read).collect();
    assert_eq!(trail.len(), 3);
}

#[test]
fn a_backend_gets_the_headers_that_the_recipes_promise() {
    let backend = Httpd::builder().without_module().start();
    let to = |block: String| {
        let block = block.replace("http://127.0.0.1:8080/app", &backend.url("/public/env"));
        block.replace("http://127.0.0.1:8080/shop", &backend.url("/public/env"))
    };
    let heading = "An application behind a reverse proxy";
    let site = TestSite::builder()
        .unprotected()
        .config(&to(recipe(heading, "ProxyPass")))
        .config(&to(recipe("Public pages that greet a signed-in user", "ProxyPass")))
        // The second block of that recipe, in a place of its own.
        .config(&recipe(heading, "RequestHeader").replace("/app", "/public/env"))
        .httpd(|httpd| httpd.load("proxy").load("proxy_http"))
        .start();
    let forged = Browser::new();
    let forged = forged
        .ask("GET", site.url("/shop"))
        .header("X-Visitor_Name", "root");
    assert!(!forged.send().environment().contains_key("HTTP_X_VISITOR_NAME"));
    let browser = Browser::new();
    let environment = sign_in(&browser, site.url("/app")).page.environment();
    assert_eq!(environment["HTTP_X_REMOTE_USER"], DEMO_SUB);
    assert_eq!(environment["HTTP_OXD_CLAIM_NAME"], "Test User");
    assert_eq!(environment["HTTP_OXD_CLAIM_EMAIL"], "test_user@example.org");
    assert_eq!(environment["HTTP_OXD_CLAIM_GROUPS"], "staff,demo");
    assert!(
        !environment.contains_key("HTTP_OXD_CLAIM_SUB"),
        "{environment:#?}"
    );
    let environment = browser.get(site.url("/shop")).environment();
    assert_eq!(environment["HTTP_X_VISITOR_NAME"], "Test User");
    let environment = browser.get(site.url("/public/env")).environment();
    let shown = &environment["HTTP_X_DISPLAY_NAME"];
    assert_eq!(shown, "Test User <test_user@example.org>");
}

#[test]
fn groups_and_stronger_sign_ins_let_in_whom_they_name() {
    let groups = "Groups and other claims";
    let stronger = recipe("A stronger sign-in for a part of the site", "/app/admin>");
    let builder = TestSite::builder()
        .unprotected()
        .config(&recipe(groups, "/intranet"))
        .config(&recipe(groups, "/payroll"))
        .config(&recipe(groups, "/wiki"))
        .config(&stronger)
        .config(
            &stronger
                .replace("/app", "/staff")
                .replace("groups admins", "groups staff"),
        );
    let site = builder
        .httpd(|httpd| {
            for place in ["intranet", "payroll", "wiki", "app/admin", "staff/admin"] {
                httpd.file(&format!("docroot/{place}/page.html"), place);
            }
            httpd.allow_log("client denied by server configuration")
        })
        .start();
    let browser = Browser::new();
    let page = sign_in(&browser, site.url("/intranet/page.html")).page;
    assert_eq!(page.expect(200).text(), "intranet");
    browser.get(site.url("/payroll/page.html")).expect(403);
    browser.get(site.url("/wiki/page.html")).expect(200);
    browser
        .post(site.url("/wiki/page.html"), &[("a", "b")])
        .expect(403);
    // No second factor makes a demo user an admin; a member of the staff is asked for one.
    site.forget_calls();
    browser.get(site.url("/app/admin/page.html")).expect(403);
    site.expect_commands(&[]);
    let page = sign_in(&browser, site.url("/staff/admin/page.html")).page;
    assert_eq!(page.expect(200).text(), "staff/admin");
}

#[test]
fn two_sites_below_one_host_keep_a_session_each() {
    let block = recipe("Several sites on one server", "OxdCookieName");
    let builder = TestSite::builder().another_site("blue").another_site("green");
    let site = builder
        .config(&block.replace("/etc/apache2/oxd/", "${ROOT}/"))
        .start();
    let browser = Browser::new();
    sign_in(&browser, site.url("/blue/app/")).page.expect(200);
    sign_in(&browser, site.url("/green/app/")).page.expect(200);
    browser.get(site.url("/blue/app/")).expect(200);
    let cookies = browser.cookies(site.url("/"));
    let names = cookies.iter().map(|(name, _)| name.as_str());
    let ours: Vec<_> = names
        .filter(|name| !name.starts_with("oxd_dev") && !name.ends_with(".tokens"))
        .collect();
    assert_eq!(ours, ["oxd_blue", "oxd_green"]);
}
