//! Puts all mutants of a file into its text at once, each behind a switch.
//!
//! A mutant keeps the meaning that it has in cargo-mutants: its replacement stands in a copy of the expression that is
//! chosen at run time, `if on(7) { a != b && c } else { a == b && c }`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Arm, Block, Expr, ExprBinary, ExprMatch, ExprStruct, ExprUnary, Member, Pat};

use crate::list::{Genre, Mutant};

/// The text of a file with its mutants.
pub struct Woven {
    pub text: String,
    /// Where each mutant stands in the text.
    pub regions: Vec<(Range<usize>, usize)>,
    /// Mutants that have no place in it.
    pub homeless: Vec<usize>,
}

/// A replacement within an expression: the mutant, where, by what.
type Edit = (usize, Range<usize>, String);

enum Kind {
    /// Returns from a function's body at its beginning: mutant and value.
    Body(Vec<(usize, String)>),
    /// Chooses between copies of an expression.
    Copies { edits: Vec<Edit>, before: String },
    /// A guard that takes away the arm of a match, and what may change in the guard.
    Guard { arm: Option<usize>, edits: Vec<Edit> },
    /// The same for an arm without a guard.
    NewGuard(usize),
}

struct Site {
    range: Range<usize>,
    kind: Kind,
}

struct Finder<'m> {
    /// Mutants by the place that they begin at, those that were left out removed.
    at: BTreeMap<usize, Vec<&'m Mutant>>,
    placed: BTreeSet<usize>,
    chains: BTreeSet<usize>,
    sites: Vec<Site>,
    source: &'m str,
}

/// Puts the mutants of a file into its text.
pub fn weave(source: &str, mutants: &[&Mutant]) -> Result<Woven, syn::Error> {
    let mut at: BTreeMap<usize, Vec<&Mutant>> = BTreeMap::new();
    for mutant in mutants {
        at.entry(mutant.range.start).or_default().push(mutant);
    }
    let mut finder = Finder {
        at,
        placed: BTreeSet::new(),
        chains: BTreeSet::new(),
        sites: Vec::new(),
        source,
    };
    finder.visit_file(&syn::parse_file(source)?);
    let Finder {
        mut sites, placed, ..
    } = finder;
    // Outer ones first; of two at the same place the one that was found first.
    sites.sort_by_key(|site| (site.range.start, usize::MAX - site.range.end));
    let mut writer = Writer {
        source,
        text: String::new(),
        regions: Vec::new(),
    };
    writer.copy(0..source.len(), &sites);
    Ok(Woven {
        text: writer.text,
        regions: writer.regions,
        homeless: mutants
            .iter()
            .map(|m| m.id)
            .filter(|id| !placed.contains(id))
            .collect(),
    })
}

impl Finder<'_> {
    /// The mutants of a genre that begin at a place.
    fn take(&mut self, genre: Genre, start: usize) -> Vec<Edit> {
        let here = self.at.get(&start).into_iter().flatten();
        let found: Vec<Edit> = here
            .filter(|mutant| mutant.genre == genre)
            .map(|mutant| (mutant.id, mutant.range.clone(), mutant.replacement.clone()))
            .collect();
        self.placed.extend(found.iter().map(|(id, ..)| *id));
        found
    }

    fn add(&mut self, range: Range<usize>, kind: Kind) {
        self.sites.push(Site { range, kind });
    }

    fn copies(&mut self, range: Range<usize>, edits: Vec<Edit>) {
        if !edits.is_empty() {
            let before = String::new();
            self.add(range, Kind::Copies { edits, before });
        }
    }
}

/// Whether a chain of operators has a `let` among its links: no copy of it can be chosen.
fn has_let(expr: &Expr) -> bool {
    match expr {
        Expr::Let(_) => true,
        Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}

/// The places of the operators of a chain.
fn operators(binary: &ExprBinary, found: &mut Vec<usize>) {
    found.push(binary.op.span().byte_range().start);
    for side in [&*binary.left, &*binary.right] {
        if let Expr::Binary(inner) = side {
            operators(inner, found);
        }
    }
}

impl<'a> Visit<'a> for Finder<'_> {
    fn visit_block(&mut self, block: &'a Block) {
        if let (Some(first), Some(last)) = (block.stmts.first(), block.stmts.last()) {
            let start = first.span().byte_range().start;
            let values = self.take(Genre::FnValue, start);
            if !values.is_empty() {
                let values = values.into_iter().map(|(id, _, value)| (id, value)).collect();
                self.add(start..last.span().byte_range().end, Kind::Body(values));
            }
        }
        visit::visit_block(self, block);
    }

    fn visit_expr_binary(&mut self, binary: &'a ExprBinary) {
        let own = binary.op.span().byte_range().start;
        let can_be_copied = !has_let(&binary.left) && !has_let(&binary.right);
        if can_be_copied && !self.chains.contains(&own) {
            let mut places = Vec::new();
            operators(binary, &mut places);
            let edits = places
                .iter()
                .flat_map(|place| self.take(Genre::BinaryOperator, *place))
                .collect();
            self.chains.extend(places);
            self.copies(binary.span().byte_range(), edits);
        }
        visit::visit_expr_binary(self, binary);
    }

    fn visit_expr_unary(&mut self, unary: &'a ExprUnary) {
        let edits = self.take(Genre::UnaryOperator, unary.op.span().byte_range().start);
        self.copies(unary.span().byte_range(), edits);
        visit::visit_expr_unary(self, unary);
    }

    fn visit_expr_match(&mut self, expr: &'a ExprMatch) {
        // A guard is not enough of an arm for the compiler: another arm has to take what this one takes.
        let is_variable = |name: &str| name.starts_with(|first: char| first.is_lowercase());
        let takes_all = |arm: &Arm| match &arm.pat {
            _ if arm.guard.is_some() => false,
            Pat::Wild(_) => true,
            Pat::Ident(name) => is_variable(&name.ident.to_string()),
            _ => false,
        };
        if !expr.arms.iter().any(takes_all) {
            for arm in &expr.arms {
                let here = self.at.get_mut(&arm.span().byte_range().start).into_iter();
                here.for_each(|mutants| mutants.retain(|mutant| mutant.genre != Genre::MatchArm));
            }
        }
        visit::visit_expr_match(self, expr);
    }

    fn visit_arm(&mut self, arm: &'a Arm) {
        let gone = self.take(Genre::MatchArm, arm.span().byte_range().start);
        let gone = gone.first().map(|(id, ..)| *id);
        match &arm.guard {
            Some((_, guard)) => {
                let range = guard.span().byte_range();
                let edits = self.take(Genre::MatchArmGuard, range.start);
                if gone.is_some() || !edits.is_empty() {
                    self.add(range, Kind::Guard { arm: gone, edits });
                }
            }
            None => {
                if let Some(id) = gone {
                    let end = arm.pat.span().byte_range().end;
                    self.add(end..end, Kind::NewGuard(id));
                }
            }
        }
        visit::visit_arm(self, arm);
    }

    fn visit_expr_struct(&mut self, expr: &'a ExprStruct) {
        if let Some(rest) = &expr.rest {
            let base = &self.source[rest.span().byte_range()];
            let path = &self.source[expr.path.span().byte_range()];
            for field in &expr.fields {
                let gone = self.take(Genre::StructField, field.span().byte_range().start);
                let (Some((id, ..)), Member::Named(name)) = (gone.first(), &field.member) else {
                    continue;
                };
                let range = field.expr.span().byte_range();
                let value = match **rest {
                    Expr::Call(_) => format!("{{ let base: {path} = {base}; base.{name} }}"),
                    _ => format!("({base}).{name}"),
                };
                let before = match field.colon_token {
                    Some(_) => String::new(),
                    None => format!("{name}: "),
                };
                let edits = vec![(*id, range.clone(), value)];
                self.add(range, Kind::Copies { edits, before });
            }
        }
        visit::visit_expr_struct(self, expr);
    }
}

struct Writer<'s> {
    source: &'s str,
    text: String,
    regions: Vec<(Range<usize>, usize)>,
}

impl Writer<'_> {
    /// Copies a part of the source, with the sites in it.
    fn copy(&mut self, range: Range<usize>, sites: &[Site]) {
        let (mut at, mut sites) = (range.start, sites);
        while let Some((site, rest)) = sites.split_first() {
            self.text.push_str(&self.source[at..site.range.start]);
            let inner = rest.iter().take_while(|other| other.range.end <= site.range.end);
            let (inner, after) = rest.split_at(inner.count());
            self.put(site, inner);
            (at, sites) = (site.range.end, after);
        }
        self.text.push_str(&self.source[at..range.end]);
    }

    fn put(&mut self, site: &Site, inner: &[Site]) {
        match &site.kind {
            Kind::Body(values) => {
                for (id, value) in values {
                    self.switch(
                        *id,
                        &format!("if crate::mutation::on({id}) {{ return {value}; }} "),
                    );
                }
                self.copy(site.range.clone(), inner);
            }
            Kind::Copies { edits, before } => {
                self.text.push_str(before);
                self.choose(edits, &site.range, inner);
            }
            Kind::Guard { arm, edits } => {
                if let Some(id) = arm {
                    self.switch(*id, &format!("!crate::mutation::on({id}) && "));
                }
                self.choose(edits, &site.range, inner);
            }
            Kind::NewGuard(id) => self.switch(*id, &format!(" if !crate::mutation::on({id}) ")),
        }
    }

    /// `(if on(1) { a } else if on(2) { b } else { c })`
    fn choose(&mut self, edits: &[Edit], range: &Range<usize>, inner: &[Site]) {
        self.text.push('(');
        for (id, edit, replacement) in edits {
            let before = &self.source[range.start..edit.start];
            let after = &self.source[edit.end..range.end];
            self.switch(
                *id,
                &format!("if crate::mutation::on({id}) {{ {before}{replacement}{after} }} else "),
            );
        }
        self.text.push_str(if edits.is_empty() { "" } else { "{ " });
        self.copy(range.clone(), inner);
        self.text.push_str(if edits.is_empty() { ")" } else { " })" });
    }

    fn switch(&mut self, id: usize, text: &str) {
        let start = self.text.len();
        self.text.push_str(text);
        self.regions.push((start..self.text.len(), id));
    }
}
