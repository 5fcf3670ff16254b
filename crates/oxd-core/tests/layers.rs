//! Imports point down, and no circle appears: the layers of oxd-core and of the Apache layer, held to the code.
//!
//! A folder is a layer. A file may name what is in its own folder, and what is in a layer below it. Within a folder no
//! two modules may need each other, except that a module and its own submodules are one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemUse, UseTree};

/// The layers of oxd-core, from top to bottom. Tests may name anything: `testing` and `fuzzing` stand above all.
const CORE: &[&str] = &[
    "testing",
    "fuzzing",
    "handler",
    "access",
    "logout",
    "uma",
    "login",
    "bearer",
    "flow",
    "session",
    "tokens",
    "oxd",
    "http",
    "pages",
    "config",
    "templates",
    "shm",
    "base",
    "texts",
];
/// The layers of the package mod_oxd. Each may use oxd-core.
const APACHE: &[&str] = &["entry", "adapter", "ffi"];

fn root() -> PathBuf {
    let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_root.ancestors().nth(2).expect("the repository").to_owned()
}

/// A module below the crate's root: `["session", "open"]`.
type Module = Vec<String>;

/// The modules of a crate with the paths that each names, as modules and items from the crate's root.
struct Crate {
    modules: BTreeMap<Module, BTreeSet<Module>>,
    /// What a module re-exports: `(module, name)` to where it is.
    exports: BTreeMap<(Module, String), Module>,
}

impl Crate {
    fn read(src: &Path) -> Crate {
        let mut found = Crate {
            modules: BTreeMap::new(),
            exports: BTreeMap::new(),
        };
        found.read_folder(src, &mut Vec::new());
        assert!(found.modules.len() > 3, "no modules below {}", src.display());
        found
    }

    fn read_folder(&mut self, folder: &Path, at: &mut Module) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            if path.is_dir() {
                at.push(name);
                self.read_folder(&path, at);
                at.pop();
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let module = match name.as_str() {
                    "mod" | "lib" => at.clone(),
                    _ => [at.as_slice(), &[name]].concat(),
                };
                self.read_file(&path, module);
            }
        }
    }

    fn read_file(&mut self, path: &Path, module: Module) {
        // Tests may name what they like.
        let is_test = |name: &String| name == "tests" || name.ends_with("_tests");
        if module.iter().any(is_test) || module.first().is_some_and(|first| first == "testing") {
            return;
        }
        let text = fs::read_to_string(path).expect("a file");
        let file = syn::parse_file(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let mut names = Names {
            module: module.clone(),
            found: BTreeSet::new(),
            exports: Vec::new(),
        };
        names.visit_file(&file);
        for (name, target) in names.exports {
            self.exports.insert((module.clone(), name), target);
        }
        self.modules.insert(module, names.found);
    }

    /// The module in which a path ends; re-exports are followed.
    fn module_of(&self, path: &[String]) -> Module {
        for length in (0..=path.len()).rev() {
            let (module, rest) = path.split_at(length);
            if !self.modules.contains_key(module) && !module.is_empty() {
                continue;
            }
            return match rest.first() {
                Some(name) => match self.exports.get(&(module.to_vec(), name.clone())) {
                    Some(target) if target != path => self.module_of(target),
                    _ => module.to_vec(),
                },
                None => module.to_vec(),
            };
        }
        Vec::new()
    }

    /// Which modules each module names, by their modules.
    fn imports(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let of = |paths: &BTreeSet<Module>| paths.iter().map(|path| self.module_of(path)).collect();
        self.modules
            .iter()
            .map(|(module, paths)| (module.clone(), of(paths)))
            .collect()
    }
}

/// Collects the paths that one file names.
struct Names {
    module: Module,
    found: BTreeSet<Module>,
    exports: Vec<(String, Module)>,
}

impl Names {
    /// A path from the crate's root; `None` for what is in another crate.
    fn absolute(&self, path: &[String]) -> Option<Module> {
        let mut base = self.module.clone();
        let mut rest = path;
        match rest.first()?.as_str() {
            "crate" => {
                base.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            _ => return None,
        }
        Some([base.as_slice(), rest].concat())
    }

    fn used(&mut self, tree: &UseTree, before: &mut Vec<String>, is_export: bool) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.used(&path.tree, before, is_export);
                before.pop();
            }
            UseTree::Group(group) => group
                .items
                .iter()
                .for_each(|item| self.used(item, before, is_export)),
            UseTree::Name(name) => self.one(
                before,
                &name.ident.to_string(),
                &name.ident.to_string(),
                is_export,
            ),
            UseTree::Rename(rename) => {
                self.one(
                    before,
                    &rename.ident.to_string(),
                    &rename.rename.to_string(),
                    is_export,
                );
            }
            UseTree::Glob(_) => self.one(before, "self", "*", is_export),
        }
    }

    fn one(&mut self, before: &[String], name: &str, known_as: &str, is_export: bool) {
        let mut path = before.to_vec();
        if name != "self" {
            path.push(name.to_owned());
        }
        // A folder's face re-exports what its own modules have: `pub use open::Opened;`.
        let absolute = self.absolute(&path);
        if is_export {
            let own = [self.module.as_slice(), &path].concat();
            self.exports.push((known_as.to_owned(), absolute.unwrap_or(own)));
        } else if let Some(path) = absolute {
            self.found.insert(path);
        }
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|path| path.is_ident("test"))
    })
}

impl<'ast> Visit<'ast> for Names {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Mod(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_test(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let is_export = !matches!(item.vis, syn::Visibility::Inherited);
        self.used(&item.tree, &mut Vec::new(), is_export);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        if segments.len() > 1
            && let Some(path) = self.absolute(&segments)
        {
            self.found.insert(path);
        }
        visit::visit_path(self, path);
    }
}

fn text(module: &[String]) -> String {
    module.join("::")
}

fn imports_point_down(src: &str, layers: &[&str]) {
    let place = |module: &Module| {
        let layer = module.first()?;
        let place = layers.iter().position(|known| known == layer);
        Some(place.unwrap_or_else(|| panic!("{layer} is in no layer: add it to the table in this test")))
    };
    let mut upward = Vec::new();
    for (module, imports) in Crate::read(&root().join(src)).imports() {
        let Some(own) = place(&module) else { continue };
        for import in &imports {
            if place(import).is_some_and(|other| other < own) {
                upward.push(format!("{} imports {}", text(&module), text(import)));
            }
        }
    }
    assert!(upward.is_empty(), "imports that point up:\n{}", upward.join("\n"));
}

/// A module with its own submodules, as one: the first two segments of its path.
fn unit(module: &Module) -> Module {
    module.iter().take(2).cloned().collect()
}

fn nothing_goes_round(src: &str) {
    let mut graph: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
    for (module, imports) in Crate::read(&root().join(src)).imports() {
        let from = unit(&module);
        let to: Vec<Module> = imports
            .iter()
            .map(unit)
            .filter(|to| *to != from && to.len() == 2)
            .collect();
        // A folder's face is not a module of its own: what it offers was followed to where it is.
        if from.len() == 2 {
            graph.entry(from).or_default().extend(to);
        }
    }
    // Takes away what imports nothing, or is imported by nothing, of what is still there; the rest goes round.
    loop {
        let imported: BTreeSet<Module> = graph.values().flatten().cloned().collect();
        let before = graph.len();
        let known: BTreeSet<Module> = graph.keys().cloned().collect();
        graph.retain(|module, imports| imported.contains(module) && !imports.is_disjoint(&known));
        if graph.len() == before {
            break;
        }
    }
    let round: Vec<String> = graph
        .iter()
        .map(|(module, imports)| {
            let within = imports.iter().filter(|import| graph.contains_key(*import));
            format!(
                "{} imports {}",
                text(module),
                within.map(|m| text(m)).collect::<Vec<_>>().join(", ")
            )
        })
        .collect();
    assert!(round.is_empty(), "circles among:\n{}", round.join("\n"));
}

#[test]
fn imports_of_the_core_point_down() {
    imports_point_down("crates/oxd-core/src", CORE);
}

#[test]
fn imports_of_the_apache_layer_point_down() {
    imports_point_down("src", APACHE);
}

#[test]
fn no_circle_in_the_core() {
    nothing_goes_round("crates/oxd-core/src");
}

#[test]
fn no_circle_in_the_apache_layer() {
    nothing_goes_round("src");
}

#[test]
fn the_layers_are_those_of_the_architecture_page() {
    let page = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).expect("the page");
    for layers in [CORE, APACHE] {
        let mut after = 0;
        for layer in layers
            .iter()
            .filter(|layer| !["testing", "fuzzing"].contains(layer))
        {
            let row = format!("| `{layer}");
            let found = page[after..].find(&row);
            after += found.unwrap_or_else(|| {
                panic!("docs/ARCHITECTURE.md has no row for {layer} below the one before")
            });
        }
    }
}
