//! A registered site: the development oxd server, httpd, and the configuration between them.

use std::time::Duration;

use oxd_dev::{Addresses, DevServer, Options, Provider, ProviderOptions, Site, Tls, UmaSite, User};
use serde_json::{Value, json};
use url::Url;

use crate::browser::Browser;
use crate::certified::CertifiedProvider;
use crate::httpd::{Builder, Httpd, Mpm};
use crate::signin::sign_in;
use crate::store::Store;

/// A site that is ready to be visited.
///
/// `/oxd` has the handler, `/app` is protected, and the rest is open. `/app/env` prints what an
/// application receives, `/public/env` does so without protection.
pub struct TestSite {
    /// The httpd under test; first, so that it stops before the oxd server does.
    pub httpd: Httpd,
    /// The development oxd server that it talks to.
    pub oxd: DevServer,
    /// The answer of `register-site`.
    pub site: Site,
    /// The same for each [`SiteBuilder::another_site`].
    pub others: Vec<Site>,
    /// The certified provider, when the site signs in there.
    _certified: Option<CertifiedProvider>,
}

/// Describes a [`TestSite`].
pub struct SiteBuilder {
    builder: Builder,
    options: Options,
    provider: ProviderOptions,
    /// What its clients say when they register, when there is one.
    certified: Option<Value>,
    base: String,
    redirect_uris: Vec<String>,
    logout: Logout,
    directives: String,
    others: Vec<String>,
    protect: bool,
    uma: bool,
    defaults: bool,
    credentials: Credentials,
}

/// The provider's logout notices to the sites.
#[derive(Clone, Copy, Default)]
struct Logout {
    frontchannel: bool,
    backchannel: bool,
    by_user: bool,
}

enum Credentials {
    File,
    Directives,
    Discovery,
}

impl TestSite {
    /// Begins the description of a site.
    pub fn builder() -> SiteBuilder {
        let builder = Httpd::builder();
        SiteBuilder {
            builder,
            options: Options::default(),
            provider: ProviderOptions::default(),
            certified: None,
            base: "/oxd".to_owned(),
            redirect_uris: Vec::new(),
            logout: Logout::default(),
            directives: String::new(),
            others: Vec::new(),
            protect: true,
            uma: false,
            defaults: true,
            credentials: Credentials::File,
        }
    }

    /// The standard site under the event MPM.
    pub fn start() -> TestSite {
        TestSite::builder().start()
    }

    /// The URL of a path on the site.
    pub fn url(&self, path: &str) -> String {
        self.httpd.url(path)
    }

    /// A new browser with a session.
    #[track_caller]
    pub fn signed_in(&self) -> Browser {
        let browser = Browser::new();
        sign_in(&browser, self.url("/app/")).page.expect(200);
        browser
    }

    /// The user of this browser's session at the site.
    #[track_caller]
    pub fn user(&self, browser: &Browser) -> Option<String> {
        let answer = browser.get(self.url("/oxd/session"));
        let session = answer.json();
        match answer.status {
            401 => assert_eq!(session, json!({ "active": false })),
            status => {
                assert_eq!((status, &session["active"]), (200, &json!(true)), "{session}");
                return session["user"].as_str().map(str::to_owned);
            }
        }
        None
    }

    /// The commands that reached the oxd server since the last [`TestSite::forget_calls`].
    pub fn commands(&self) -> Vec<String> {
        self.oxd.calls().into_iter().map(|call| call.command).collect()
    }

    /// Fails the test when the oxd server was called with anything else since the last
    /// [`TestSite::forget_calls`].
    #[track_caller]
    pub fn expect_commands(&self, commands: &[&str]) {
        assert_eq!(self.commands(), commands, "calls to oxd");
    }

    /// Starts counting calls anew.
    pub fn forget_calls(&self) {
        self.oxd.clear_calls();
    }
}

impl SiteBuilder {
    /// The MPM to run with.
    pub fn mpm(self, mpm: Mpm) -> SiteBuilder {
        self.httpd(|builder| builder.mpm(mpm))
    }

    /// Changes how httpd is set up.
    pub fn httpd(mut self, change: impl FnOnce(Builder) -> Builder) -> SiteBuilder {
        self.builder = change(self.builder);
        self
    }

    /// Changes how the oxd server is set up (not its provider).
    pub fn oxd(mut self, change: impl FnOnce(&mut Options)) -> SiteBuilder {
        change(&mut self.options);
        self
    }

    /// Changes how the provider is set up.
    pub fn provider(mut self, change: impl FnOnce(&mut ProviderOptions)) -> SiteBuilder {
        change(&mut self.provider);
        self
    }

    /// The oxd server speaks https with a self-signed certificate, found in `${ROOT}/oxd-ca.pem`.
    pub fn oxd_over_tls(self) -> SiteBuilder {
        self.oxd(|options| options.tls = Tls::SelfSigned)
    }

    /// A lifetime for the provider's ID tokens.
    pub fn id_token_lifetime(self, lifetime: Duration) -> SiteBuilder {
        self.provider(|provider| provider.id_token_lifetime = lifetime)
    }

    /// The certified provider `oidc-provider` behind the oxd server instead of the one of oxd-dev.
    /// Of what [`SiteBuilder::provider`] says, users, `acr` values and lifetimes count.
    pub fn certified(self) -> SiteBuilder {
        self.certified_for(json!({}))
    }

    /// The same, with metadata for the clients that the sites become there.
    pub fn certified_for(mut self, clients: Value) -> SiteBuilder {
        self.certified = Some(clients);
        self
    }

    /// The provider loads `/oxd/frontchannel-logout` in a frame when a user signs out there.
    pub fn frontchannel_logout(mut self) -> SiteBuilder {
        self.logout.frontchannel = true;
        self
    }

    /// The provider sends logout tokens, which name the session, to `/oxd/backchannel-logout`.
    pub fn backchannel_logout(mut self) -> SiteBuilder {
        self.logout.backchannel = true;
        self
    }

    /// The same with logout tokens that name the user only.
    pub fn backchannel_logout_by_user(mut self) -> SiteBuilder {
        self.logout.by_user = true;
        self.backchannel_logout()
    }

    /// The users, instead of the demo user.
    pub fn users(self, users: Vec<User>) -> SiteBuilder {
        self.provider(|provider| provider.users = users)
    }

    /// Keeps sessions there.
    pub fn store(self, store: &Store) -> SiteBuilder {
        self.httpd(|builder| builder.store(store))
    }

    /// Adds directives at the level of the server.
    pub fn directives(mut self, text: &str) -> SiteBuilder {
        self.directives.push_str(text);
        self.directives.push('\n');
        self
    }

    /// Adds configuration after the standard one; `/oxd` and `/app` can be completed there.
    pub fn config(self, fragment: &str) -> SiteBuilder {
        self.httpd(|builder| builder.config(fragment))
    }

    /// Names oxd id, client and provider by single directives instead of the site file.
    pub fn by_directives(mut self) -> SiteBuilder {
        self.credentials = Credentials::Directives;
        self
    }

    /// The same with the address of the provider's metadata in place of its name.
    pub fn by_discovery(mut self) -> SiteBuilder {
        self.credentials = Credentials::Discovery;
        self
    }

    /// Registers the site for UMA, with `BASE/claims` to come back to.
    pub fn uma(mut self) -> SiteBuilder {
        self.uma = true;
        self
    }

    /// Leaves `/app` open.
    pub fn unprotected(mut self) -> SiteBuilder {
        self.protect = false;
        self
    }

    /// Says nothing about oxd at the level of the server: the fragments do, with `${OXD}` for its
    /// address, `${OP}` for the provider's and `${ROOT}/site.json` for the site.
    pub fn without_directives(mut self) -> SiteBuilder {
        self.defaults = false;
        self
    }

    /// Registers these addresses, the first one being where the provider sends the user, instead of
    /// `/oxd/callback` and `/oxd/login`.
    pub fn redirect_uris(mut self, uris: &[&str]) -> SiteBuilder {
        self.redirect_uris = uris.iter().map(|&uri| uri.to_owned()).collect();
        self
    }

    /// The path of the handler, instead of `/oxd`.
    pub fn base(mut self, base: &str) -> SiteBuilder {
        base.clone_into(&mut self.base);
        self
    }

    /// Registers another site at the same oxd server and gives it the part of this server below
    /// `/name`: `/name/oxd` has the handler, `/name/app` is protected.
    pub fn another_site(mut self, name: &str) -> SiteBuilder {
        self.others.push(name.to_owned());
        self
    }

    /// The URL of a path on the virtual host to come that answers over TLS.
    pub fn tls_url(&self, path: &str) -> String {
        self.builder.tls_url(path)
    }

    /// The URL of a path on the site to come.
    pub fn url(&self, path: &str) -> String {
        self.builder.url(path)
    }

    /// Starts the oxd server, registers the site and starts httpd.
    pub fn start(self) -> TestSite {
        let certified = self.certified.as_ref();
        let certified = certified.map(|clients| CertifiedProvider::start(&self.provider, clients));
        let (builder, oxd, site, others) = self.prepare(certified.as_ref());
        TestSite {
            httpd: builder.start(),
            oxd,
            site,
            others,
            _certified: certified,
        }
    }

    fn prepare(mut self, certified: Option<&CertifiedProvider>) -> (Builder, DevServer, Site, Vec<Site>) {
        self.options.provider = match certified {
            Some(certified) => Provider::External {
                issuer: certified.issuer().to_owned(),
                client: None,
            },
            None => Provider::BuiltIn(self.provider),
        };
        let oxd = DevServer::start(self.options);
        let oxd = oxd.unwrap_or_else(|error| panic!("the development oxd server: {error}"));
        let (builder, base) = (self.builder, self.base);
        let mut uris = self.redirect_uris;
        if uris.is_empty() {
            uris = ["/callback", "/login"]
                .map(|p| builder.url(&format!("{base}{p}")))
                .into();
        }
        let logout = self.logout;
        let register = |base: &str, redirect_uris: Vec<String>| {
            let below = |path: &str| builder.url(&format!("{base}{path}"));
            // Under the name that the user's browser knows.
            let home = Url::parse(&redirect_uris[0]).expect("a redirect URI");
            let frame = home.join(&format!("{base}/frontchannel-logout"));
            let frame = String::from(frame.expect("an address"));
            let addresses = Addresses {
                redirect_uris,
                post_logout_redirect_uris: vec![below("/logout")],
                frontchannel_logout_uri: logout.frontchannel.then_some(frame),
                backchannel_logout_uri: logout.backchannel.then(|| below("/backchannel-logout")),
                backchannel_logout_session_required: !logout.by_user,
            };
            let claims = home.join(&format!("{base}/claims")).expect("an address");
            let uma = UmaSite {
                claims_redirect_uris: vec![claims.into()],
                ..UmaSite::default()
            };
            let site = match self.uma {
                true => oxd.try_register_uma(&addresses, &uma),
                false => oxd.try_register(&addresses),
            };
            site.unwrap_or_else(|why| panic!("the site cannot be registered: {why}"))
        };
        let site = register(&base, uris);
        builder.file("site.json", &json!(site).to_string());
        if let Some(authority) = oxd.ca_pem() {
            builder.file("oxd-ca.pem", &authority);
        }
        let mut text = String::new();
        if self.defaults {
            text.push_str("OxdServer \"${OXD}\"\n");
            let provider = match self.credentials {
                Credentials::File => "",
                Credentials::Directives => "OxdOpHost \"${OP}\"\n",
                Credentials::Discovery => {
                    "OxdOpConfigurationEndpoint \"${OP}/.well-known/openid-configuration\"\n"
                }
            };
            text.push_str(&match self.credentials {
                Credentials::File => "OxdSite \"${ROOT}/site.json\"\n".to_owned(),
                _ => format!(
                    "OxdId {}\nOxdClientId {}\nOxdClientSecret {}\n{provider}",
                    site.oxd_id, site.client_id, site.client_secret
                ),
            });
        }
        text.push_str(&self.directives);
        text.push_str(&format!("<Location {base}>\n    SetHandler oxd\n</Location>\n"));
        if self.protect {
            text.push_str("<Location /app>\n    AuthType oxd\n    Require valid-user\n</Location>\n");
        }
        let mut others = Vec::new();
        for name in &self.others {
            let base = format!("/{name}/oxd");
            let other = register(&base, vec![builder.url(&format!("{base}/callback"))]);
            builder.file(&format!("{name}.json"), &json!(other).to_string());
            text.push_str(&OTHER_SITE.replace("NAME", name));
            others.push(other);
        }
        let builder = builder
            .define("OXD", &oxd.url())
            .define("OP", &site.op_host)
            .first_config(&text);
        (builder, oxd, site, others)
    }
}

const OTHER_SITE: &str = r#"
ScriptAlias /NAME/app/env "${ROOT}/cgi-bin/env"
Alias /NAME/app "${DOCROOT}/app"
<Location /NAME>
    OxdSite "${ROOT}/NAME.json"
</Location>
<Location /NAME/oxd>
    SetHandler oxd
</Location>
<Location /NAME/app>
    AuthType oxd
    Require valid-user
</Location>
"#;

/// A place of a site that shows the session's access token, at `/tokens/env`.
pub const SHOWS_TOKENS: &str = "ScriptAlias /tokens/env \"${ROOT}/cgi-bin/env\"\n<Location /tokens>\nAuthType oxd\n\
                            Require valid-user\nOxdPassTokens access_token\n</Location>";

/// The demo user's `sub`.
pub const DEMO_SUB: &str = "7c1f6a52-3d0e-4c5b-9c35-0f2b8a4d9e11";

/// A user with more claims than `sub`; the password is `secret`.
pub fn user(name: &str, mut claims: Value) -> User {
    claims["sub"] = json!(format!("sub-of-{name}"));
    User::new(name, "secret", claims)
}
