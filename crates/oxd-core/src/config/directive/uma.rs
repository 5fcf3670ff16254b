//! UMA: places whose resources have owners.

use std::time::Duration;

use super::Directive;
use super::Group::Uma;
use crate::config::resources::Resources;
use crate::config::value::{self, Complaint};

pub(super) const TABLE: &[Directive] = &[
    Directive {
        name: c"OxdUmaResources",
        group: Uma,
        htaccess: false,
        arguments: 1..=1,
        syntax: "FILE",
        default: "none",
        summary: c"JSON file with the UMA resources of the site, as uma-rs-protect takes them",
        details: "`{\"resources\": [{\"path\": ..., \"conditions\": [{\"httpMethods\": [...], \"scopes\": [...]}]}]}`. A \
                  request at a place with `Require oxd-uma` falls under the most specific path that matches and has its \
                  method; `HEAD` counts as `GET` where it is not named. In a path, `?` is one segment, `??` at the end \
                  all that are left, `{REGEX}` one segment that matches. oxd compares paths whole, so the file's text is \
                  what is registered and asked with: `oxdctl uma protect FILE` registers it.",
        example: "OxdUmaResources /etc/apache2/oxd/resources.json",
        #[cfg(test)]
        good: &[&["/resources.json"]],
        #[cfg(test)]
        bad: &[&["/none.json"], &["/broken.json"], &["/site.json"]],
        apply: |s, place, args| {
            let complain =
                |why: String| Complaint::about(args[0], format!("a JSON file with UMA resources ({why})"));
            let text = place
                .env
                .read_file(args[0])
                .map_err(|e| complain(e.to_string()))?;
            let resources = Resources::parse(&text).map_err(complain)?;
            s.uma_resources = Some(place.arena.keep(resources));
            Ok(())
        },
    },
    Directive {
        name: c"OxdUmaPath",
        group: Uma,
        htaccess: true,
        arguments: 1..=1,
        syntax: "PATH",
        default: "the path of OxdUmaResources that matches",
        summary: c"The registered path that this place counts as",
        details: "With it the request's own path is not looked at; its method must be registered with this path.",
        example: "OxdUmaPath /photos",
        #[cfg(test)]
        good: &[&["/photos"], &["/photos/??"]],
        #[cfg(test)]
        bad: &[&[""], &["a\nb"]],
        apply: |s, place, args| {
            s.uma_path = Some(place.arena.keep(value::text(args[0])?.to_owned()));
            Ok(())
        },
    },
    Directive {
        name: c"OxdUmaCache",
        group: Uma,
        htaccess: false,
        arguments: 1..=1,
        syntax: "TIME",
        default: "10s",
        summary: c"How long it is kept that an RPT opens a resource",
        details: "In each child process, for this RPT, path and method, never past the end of the RPT or of one of its \
                  permissions. `0` asks oxd at each request.",
        example: "OxdUmaCache 30s",
        #[cfg(test)]
        good: &[&["0"], &["10s"], &["5min"]],
        #[cfg(test)]
        bad: &[&["-1"], &["2h"], &["soon"]],
        apply: |s, _, args| {
            s.uma_cache = Some(value::seconds(
                args[0],
                Duration::ZERO,
                Duration::from_secs(3_600),
            )?);
            Ok(())
        },
    },
    Directive {
        name: c"OxdUmaClaims",
        group: Uma,
        htaccess: false,
        arguments: 1..=1,
        syntax: "On | gather",
        default: "gather",
        summary: c"How a signed-in user proves to the authorization server who it is",
        details: "For a browser session the module fetches the RPT itself, and pushes the user's id token. With `gather` it \
                  also sends the user to the authorization server's own page where that wants to know more, once a minute \
                  at most for a page; the way back is `BASE/claims`, which the site must be registered with \
                  (`claims_redirect_uri`, as `oxdctl register` does it for the scope `uma_protection`).",
        example: "OxdUmaClaims gather",
        #[cfg(test)]
        good: &[&["On"], &["gather"]],
        #[cfg(test)]
        bad: &[&["Off"], &["push"]],
        apply: |s, _, args| {
            s.uma_gathers = Some(value::choice(args[0], &[("On", false), ("gather", true)])?);
            Ok(())
        },
    },
    Directive {
        name: c"OxdUmaUnprotected",
        group: Uma,
        htaccess: false,
        arguments: 1..=1,
        syntax: "deny | allow",
        default: "deny",
        summary: c"What becomes of a request that falls under no resource",
        details: "At a place with `Require oxd-uma`. `allow` meets the rule for such requests.",
        example: "OxdUmaUnprotected deny",
        #[cfg(test)]
        good: &[&["deny"], &["Allow"]],
        #[cfg(test)]
        bad: &[&["On"]],
        apply: |s, _, args| {
            s.uma_open_elsewhere = Some(value::choice(args[0], &[("deny", false), ("allow", true)])?);
            Ok(())
        },
    },
];
