use super::*;

/// Reads a small configuration.
pub(super) fn tree(text: &str) -> Vec<Node> {
    let mut stack = vec![Node::default()];
    for (line, text) in text
        .lines()
        .map(str::trim)
        .enumerate()
        .filter(|(_, l)| !l.is_empty())
    {
        if text.starts_with("</") {
            let node = stack.pop().unwrap();
            stack.last_mut().unwrap().children.push(node);
            continue;
        }
        let (name, args) = text.split_once(' ').unwrap_or((text, ""));
        let node = Node {
            name: name.into(),
            args: args.into(),
            file: "httpd.conf".into(),
            line: line as u32 + 1,
            children: vec![],
        };
        if name.starts_with('<') {
            stack.push(node)
        } else {
            stack.last_mut().unwrap().children.push(node)
        }
    }
    stack.pop().unwrap().children
}

fn lacking(text: &str) -> Vec<&'static str> {
    missing(&tree(text)).into_iter().map(|m| m.directive).collect()
}

#[test]
fn a_complete_configuration_lacks_nothing() {
    assert!(
        lacking("OxdServer https://oxd\nOxdSite f\n<Location /oxd>\nSetHandler oxd\n</Location>").is_empty()
    );
    assert!(
        lacking("<VirtualHost *:80>\nOxdServer u\n<Location /a>\nAuthType oxd\nOxdSite f\n</Location>\n</VirtualHost>")
            .is_empty()
    );
    assert!(lacking("<Location /x>\nAuthType Basic\n</Location>\n").is_empty());
    let unprotected =
        "OxdServer u\nOxdId i\nOxdProtectedCommands off\n<Location /a>\nAuthType \"oxd\"\n</Location>";
    assert!(lacking(unprotected).is_empty());
}

#[test]
fn what_is_missing_is_named_with_its_place() {
    let all = missing(&tree("OxdSite f\n<Location /app>\nAuthType oxd\n</Location>"));
    assert_eq!(all.len(), 1);
    assert_eq!(
        all[0].line(),
        "httpd.conf:3: <Location /app> has AuthType oxd, but no OxdServer: name the address of oxd, such as \
         https://127.0.0.1:8443"
    );
    assert_eq!(
        lacking("OxdServer u\nOxdId i\nOxdClientId c\n<Location /a>\nSetHandler oxd\n</Location>").len(),
        2
    );
}

#[test]
fn a_directive_elsewhere_does_not_count() {
    let other_host = "<VirtualHost a>\nOxdServer u\nOxdSite f\n</VirtualHost>\n<VirtualHost b>\n<Location /a>\n\
                      AuthType oxd\n</Location>\n</VirtualHost>";
    assert_eq!(
        lacking(other_host),
        [
            "OxdServer",
            "OxdSite (or OxdId, OxdClientId, OxdClientSecret and OxdOpHost)"
        ]
    );
    let other_place =
        "OxdSite f\n<Location /a>\nOxdServer u\n</Location>\n<Location /b>\nAuthType oxd\n</Location>";
    assert_eq!(lacking(other_place), ["OxdServer"]);
    let outer_place =
        "OxdSite f\n<Location /a>\nOxdServer u\n</Location>\n<Location /a/b>\nAuthType oxd\n</Location>";
    assert!(lacking(outer_place).is_empty());
}

#[test]
fn a_status_page_for_everybody_is_named() {
    let status = |around: &str, inside: &str| {
        unguarded(&tree(&format!(
            "{around}<Location /s>\nSetHandler oxd-status\n{inside}\n</Location>"
        )))
        .len()
    };
    assert_eq!(status("", ""), 1);
    assert_eq!(status("", "Require all granted"), 1);
    assert_eq!(status("<Directory />\nRequire all denied\n</Directory>\n", ""), 1);
    assert_eq!(status("", "Require ip 127.0.0.1"), 0);
    assert_eq!(status("<Location />\nRequire valid-user\n</Location>\n", ""), 0);
}

#[test]
fn what_a_protected_place_does_not_share_with_its_handler_is_named() {
    let handler = "<Location /oxd>\nSetHandler oxd\n</Location>\n";
    let place = |inside: &str| format!("<Location /app>\nAuthType oxd\n{inside}\n</Location>\n");
    let lines = |text: String| unshared(&tree(&text)).len();
    for own in ["OxdSessionStore redis:h:1", "OxdCryptoKey k", "OxdCookieName c"] {
        assert_eq!(lines(format!("{handler}{}", place(own))), 1, "{own}");
        assert_eq!(lines(place(own)), 0, "the handler is elsewhere");
        assert_eq!(lines(format!("{own}\n{handler}{}", place(own))), 0, "{own}");
        let with_own = format!("<Location /oxd>\nSetHandler oxd\n{own}\n</Location>\n");
        assert_eq!(lines(format!("{with_own}{}", place(own))), 0, "{own}");
    }
    let area = "<Location /two>\nOxdCookieName c\n</Location>\n<Location /two/oxd>\nSetHandler oxd\n</Location>\n\
                <Location /two/app>\nAuthType oxd\n</Location>\n";
    assert_eq!(lines(format!("{handler}{area}")), 0);
}

#[test]
fn all_names_of_session_cookies_are_known() {
    let two = "<Location /a>\nOxdCookieName blue\nAuthType oxd\n</Location>\n<Location /b>\nAuthType oxd\n</Location>";
    assert_eq!(cookie_names(&tree(two)), ["blue", "oxd_session"]);
    let one = "OxdCookieName \"green\"\n<Location /b>\nAuthType oxd\n</Location>";
    assert_eq!(cookie_names(&tree(one)), ["green"]);
}

#[test]
fn a_limit_without_a_store_is_named() {
    assert_eq!(uncounted(&tree("OxdSessionMax 2")).len(), 1);
    assert_eq!(
        uncounted(&tree("OxdSessionMax 2\nOxdSessionStore cookie")).len(),
        1
    );
    assert!(uncounted(&tree("OxdSessionMax 2\nOxdSessionStore redis:h:1")).is_empty());
    let inner = "OxdSessionStore redis:h:1\n<Location /a>\nOxdSessionMax 2\n</Location>";
    assert!(uncounted(&tree(inner)).is_empty());
    let elsewhere =
        "<Location /b>\nOxdSessionStore redis:h:1\n</Location>\n<Location /a>\nOxdSessionMax 2\n</Location>";
    assert!(uncounted(&tree(elsewhere))[0].starts_with("httpd.conf:5: OxdSessionMax needs"));
}

#[test]
fn what_only_a_request_can_know_is_left_to_the_request() {
    let directory =
        "OxdSite f\n<Directory /srv>\nOxdServer u\n</Directory>\n<Location /b>\nAuthType oxd\n</Location>";
    assert!(lacking(directory).is_empty());
}
