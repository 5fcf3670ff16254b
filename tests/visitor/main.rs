//! The visitor of scripts/test-package.sh: signs in at the site of a package that has just been
//! installed, comes back after an upgrade, signs out. The cookies stay in a file in between. It also makes the certificate
//! of a site that answers over https.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use oxd_tests::{Authority, Browser, Visitor};

/// Plays one scene; fails when something is not as it should be
#[derive(Parser)]
struct Arguments {
    /// Where the cookies are kept
    #[arg(long, value_name = "FILE")]
    cookies: PathBuf,
    /// The site's address, without a slash at the end
    #[arg(long, value_name = "URL")]
    site: String,
    /// The provider's
    #[arg(long, value_name = "URL")]
    provider: String,
    /// The authority of the site's certificate; no other is trusted then
    #[arg(long, value_name = "FILE")]
    authority: Option<PathBuf>,
    scene: Scene,
}

#[derive(Clone, Copy, ValueEnum)]
enum Scene {
    /// The protected page, and a sign-in at the provider
    SignIn,
    /// The protected page, without another sign-in
    ComeBack,
    /// A sign-out here and at the provider
    SignOut,
    /// A certificate for the site's host, in site.pem and site.key beside the authority's file
    Certify,
}

fn main() {
    let arguments = Arguments::parse();
    if let Scene::Certify = arguments.scene {
        return certify(&arguments);
    }
    // Cookies are kept for a site of plain http alone: a browser that trusts an authority plays one scene.
    if let Some(file) = &arguments.authority {
        let authority = std::fs::read_to_string(file).expect("the authority's certificate");
        let mut visitor = Visitor::new(Browser::trusting(&authority));
        return sign_in(&mut visitor, &arguments);
    }
    let mut visitor = Visitor::new(Browser::with_cookies_in(&arguments.cookies));
    match arguments.scene {
        Scene::SignIn => sign_in(&mut visitor, &arguments),
        Scene::ComeBack => come_back(&mut visitor, &arguments.site),
        Scene::SignOut => sign_out(&mut visitor, &arguments),
        Scene::Certify => {}
    }
    visitor.browser.keep_cookies_in(&arguments.cookies);
}

fn certify(arguments: &Arguments) {
    let file = arguments.authority.as_ref().expect("--authority");
    let host = arguments.site.trim_start_matches("https://");
    let authority = Authority::new();
    let certificate = authority.certify_name(host);
    let write = |file: PathBuf, text: &str| std::fs::write(file, text).expect("a file can be written");
    write(file.clone(), &authority.certificate_pem);
    write(file.with_file_name("site.pem"), &certificate.certificate_pem);
    write(file.with_file_name("site.key"), &certificate.key_pem);
}

fn sign_in(visitor: &mut Visitor, Arguments { site, provider, .. }: &Arguments) {
    let page = format!("{site}/private/");
    visitor.visit(&page);
    let password = ["type=\"password\""];
    let provider = format!("{provider}/*");
    visitor.expect(
        "a protected page leads to the provider",
        200,
        &provider,
        &password,
    );
    visitor.sign_in();
    let texts = ["Only for users"];
    visitor.expect("the right password leads back", 200, &page, &texts);
    let session = format!("{site}/oxd/session");
    visitor.visit(&session);
    let texts = ["\"active\":true", "test_user@example.org"];
    visitor.expect("there is a session", 200, &session, &texts);
}

fn come_back(visitor: &mut Visitor, site: &str) {
    let session = format!("{site}/oxd/session");
    visitor.visit(&session);
    visitor.expect("the session lives on", 200, &session, &["\"active\":true"]);
    let page = format!("{site}/private/");
    visitor.visit(&page);
    visitor.expect("without another sign-in", 200, &page, &["Only for users"]);
}

/// The registration has an address for front-channel logout: the provider shows it in a frame, and its
/// page leads on by a link.
fn sign_out(visitor: &mut Visitor, Arguments { site, provider, .. }: &Arguments) {
    visitor.visit(format!("{site}/oxd/logoutme"));
    let told = format!("{provider}/end_session*");
    visitor.expect("the provider tells the site", 200, &told, &["id=\"continue\""]);
    let farewell = visitor.page().clone();
    visitor.follow("iframe", "src");
    let frame = format!("{site}/oxd/frontchannel-logout*");
    visitor.expect("the site has been told", 200, &frame, &[]);
    let page = farewell.page();
    let links = page.all("a");
    let on = links.filter(|link| link.attribute("id") == Some("continue"));
    let on = on.filter_map(|link| link.attribute("href")).next();
    let on = farewell.url.join(on.expect("a link that leads on"));
    visitor.visit(on.expect("an address"));
    let end = format!("{site}/oxd/logout*");
    visitor.expect("signing out ends at the signed-out page", 200, &end, &[]);
    visitor.visit(format!("{site}/private/"));
    let password = ["type=\"password\""];
    let provider = format!("{provider}/*");
    visitor.expect(
        "nor is there a session at the provider",
        200,
        &provider,
        &password,
    );
}
