//! The tutorial and the quick start, followed literally: every command and every configuration of the page, with a real
//! httpd, against the stand-in as the oldest and as the newest oxd. Only names, ports and folders are replaced.

use std::fs;
use std::path::Path;
use std::process::Command;

use oxd_dev::{DevServer, Like, Options, Tls};
use oxd_tests::{Browser, Builder, DEMO_SUB, Httpd, approve, sign_in, sign_out};

/// One block of a page: its heading, its language, its text.
struct Block {
    heading: String,
    language: String,
    text: String,
}

fn page(name: &str) -> Vec<Block> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name);
    let text = fs::read_to_string(file).expect("the page");
    let (mut heading, mut blocks) = (String::new(), Vec::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix("## ") {
            title.clone_into(&mut heading);
        } else if let Some(language) = line.strip_prefix("```") {
            let block = lines.by_ref().take_while(|line| *line != "```");
            blocks.push(Block {
                heading: heading.clone(),
                language: language.to_owned(),
                text: block.flat_map(|line| [line, "\n"]).collect(),
            });
        }
    }
    blocks
}

/// Somebody who follows a page: oxd, and httpd to come.
struct Reader {
    oxd: DevServer,
    httpd: Builder,
    /// What stands on the page, and what is here in its place.
    names: Vec<(String, String)>,
}

impl Reader {
    /// `provider`, `oxd` and `site` are the addresses that the page uses.
    fn new(like: Like, provider: &str, oxd_address: &str, site: &str) -> Self {
        let oxd = DevServer::start(Options {
            tls: Tls::SelfSigned,
            like,
            ..Options::default()
        })
        .expect("the stand-in for oxd");
        let httpd = Httpd::builder();
        let socket = oxd.url().trim_start_matches("https://").to_owned();
        let names = [
            (format!("https://{oxd_address}"), oxd.url()),
            (oxd_address.to_owned(), socket),
            (provider.to_owned(), oxd.provider_url()),
            (site.to_owned(), httpd.url("")),
            (
                "/etc/apache2/oxd".to_owned(),
                httpd.path("oxd").display().to_string(),
            ),
            (
                "/var/www/html".to_owned(),
                httpd.path("docroot").display().to_string(),
            ),
        ];
        Self {
            oxd,
            httpd,
            names: names.to_vec(),
        }
    }

    fn here(&self, text: &str) -> String {
        let replace = |text: String, (from, to): &(String, String)| text.replace(from, to);
        self.names.iter().fold(text.to_owned(), replace)
    }

    /// Runs commands as one shell, as somebody at a terminal does.
    #[track_caller]
    fn run(&self, commands: &str) -> String {
        let program = Path::new(env!("CARGO_BIN_EXE_oxdctl"));
        let folder = program.parent().expect("its folder");
        let path = std::env::var("PATH").unwrap_or_default();
        let commands = self.here(commands);
        let ran = Command::new("bash")
            .args(["-euc", &commands])
            .current_dir(self.httpd.path(""))
            .env("PATH", format!("{}:{path}", folder.display()))
            .output()
            .expect("bash");
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        let errors = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{commands}\n{said}\n{errors}");
        said
    }

    /// Starts httpd with the configurations of the page. A page that makes none of its own gets one to protect.
    fn start(&mut self, configurations: &[&Block]) -> Httpd {
        let mut text: String = configurations
            .iter()
            .map(|block| self.here(&block.text))
            .collect();
        text.push_str("ScriptAlias /cgi-bin/ \"${ROOT}/cgi-bin/\"\n");
        let builder = std::mem::replace(&mut self.httpd, Httpd::builder());
        if !builder.path("docroot/private").exists() {
            builder.file("docroot/private/index.html", "Only for users");
        }
        builder.config(&text).start()
    }
}

fn of<'b>(blocks: &'b [Block], language: &str, headings: &[&str]) -> Vec<&'b Block> {
    let wanted = |block: &&Block| {
        block.language == language && headings.iter().any(|heading| block.heading.starts_with(heading))
    };
    blocks.iter().filter(wanted).collect()
}

fn commands(blocks: &[&Block]) -> String {
    let all: String = blocks.iter().map(|block| block.text.as_str()).collect();
    // The bed starts httpd by itself, and finds faults of its configuration then.
    all.replace(" && apachectl configtest && systemctl reload apache2", "")
        .replace("systemctl restart apache2\n", "")
}

/// Signs in at the handler as a browser does and sees the claims; reads the protected page; signs out.
fn walk(httpd: &Httpd, base: &str) {
    let browser = Browser::new();
    let first = browser.get(httpd.url(base)).expect(200).page();
    let login = first.links().into_iter().find(|link| link.ends_with("/login"));
    let start = browser.get(httpd.url(login.expect("a link to sign in")));
    let callback = approve(&browser, &start.expect(302).location()).deliver(&browser);
    let claims = browser
        .get(callback.expect(303).location())
        .expect(200)
        .page()
        .text();
    assert!(claims.contains(DEMO_SUB), "{claims}");
    let page = browser.get(httpd.url("/private/"));
    assert!(page.expect(200).text().contains("Only for users"));
    let farewell = sign_out(&browser, httpd.url(&format!("{base}/logoutme")));
    farewell.page.expect(200);
    sign_in(&Browser::new(), httpd.url("/private/")).page.expect(200);
}

const TUTORIAL: [&str; 3] = [
    "https://op.server.com",
    "oxd.server.com:8443",
    "https://rp.server.com",
];
const FURTHER: &str = "What the script cannot do";

fn tutorial(like: Like) {
    let [provider, oxd, site] = TUTORIAL;
    let mut reader = Reader::new(like, provider, oxd, site);
    let blocks = page("TUTORIAL.md");
    let first = of(&blocks, "sh", &["Before the first step", "Step 1"]);
    assert_eq!(first.len(), 3);
    let said = reader.run(&commands(&first));
    assert!(
        said.contains("Registered.") && said.contains("All is well."),
        "{said}"
    );
    let httpd = reader.start(&of(&blocks, "apache", &["Step 1", FURTHER]));
    walk(&httpd, "/cgi-bin/oxd.py");
    // The tutorial's steps 2 to 6, in their order.
    let calls: Vec<_> = reader.oxd.calls().into_iter().map(|call| call.command).collect();
    let steps: Vec<_> = blocks
        .iter()
        .map(|block| block.heading.as_str())
        .filter_map(|heading| heading.strip_prefix("Step ")?.split_once(": "))
        .map(|(_, command)| command)
        .collect();
    let steps = dedup(steps);
    let from = calls.iter().rposition(|call| call == "get-logout-uri");
    let from = from.expect("a logout") + 1 - 5;
    assert_eq!(calls[from..from + 5].join(" "), steps[1..].join(" "));
}

fn dedup(mut steps: Vec<&str>) -> Vec<&str> {
    steps.dedup();
    steps
}

#[test]
fn the_tutorial_works_with_the_oldest_oxd() {
    tutorial(Like::V4_1);
}

#[test]
fn the_tutorial_works_with_the_newest_oxd() {
    tutorial(Like::V4_5);
}

/// A site that the script had registered goes on.
fn in_the_scripts_place(like: Like) {
    let [provider, oxd, site] = TUTORIAL;
    let mut reader = Reader::new(like, provider, oxd, site);
    let url = |path: &str| reader.httpd.url(&format!("/cgi-bin/oxd.py{path}"));
    let registered = reader
        .oxd
        .register(&[&url("/login"), &url("/index")], &[&url("/logout")]);
    let blocks = page("TUTORIAL.md");
    let all = of(&blocks, "sh", &["In the script's place"]);
    assert_eq!(all.len(), 2);
    for (name, value) in [
        ("oxd_id", &registered.oxd_id),
        ("client_id", &registered.client_id),
        ("client_secret", &registered.client_secret),
    ] {
        let line = all[0]
            .text
            .lines()
            .find(|line| line.contains(&format!("\"{name}\"")));
        let on_page = line.and_then(|line| line.split('"').nth(3)).expect("the member");
        reader.names.insert(0, (on_page.to_owned(), value.clone()));
    }
    let said = reader.run(&commands(&all[..1]));
    assert!(
        said.contains("All is well.") || said.contains("warning"),
        "{said}"
    );
    let httpd = reader.start(&of(&blocks, "apache", &["Step 1", FURTHER]));
    walk(&httpd, "/cgi-bin/oxd.py");
}

#[test]
fn a_site_of_the_script_goes_on_with_the_oldest_oxd() {
    in_the_scripts_place(Like::V4_1);
}

#[test]
fn a_site_of_the_script_goes_on_with_the_newest_oxd() {
    in_the_scripts_place(Like::V4_5);
}

#[test]
fn the_quick_start_works() {
    let mut reader = Reader::new(
        Like::V4_5,
        "https://op.example.org",
        "127.0.0.1:8443",
        "https://www.example.org",
    );
    let blocks = page("QUICKSTART.md");
    // Steps 1 and 2 are for oxd's machine and the package manager.
    let shell = of(&blocks, "sh", &["3.", "4."]);
    assert_eq!(shell.len(), 3);
    let said = reader.run(&commands(&shell));
    assert!(
        said.contains("Registered.") && said.contains("All is well."),
        "{said}"
    );
    let configuration = of(&blocks, "apache", &["4."]);
    // The lines that oxdctl prints are those of the page.
    let printed = |line: &&str| line.starts_with("Oxd");
    for line in reader.here(&configuration[0].text).lines().filter(printed) {
        let words: Vec<_> = line.split_whitespace().collect();
        let has = |said: &str| said.split_whitespace().collect::<Vec<_>>() == words;
        assert!(said.lines().any(has), "{line} in\n{said}");
    }
    let httpd = reader.start(&configuration);
    walk(&httpd, "/oxd");
}
