//! Compares what the core says of smoltcp's shortcomings: the files of `core/src/tcp/socket/`, the heads of
//! these files, the table in `mod.rs` beside them, and the tests on bare smoltcp (`core/tests/smoltcp/`). None
//! may be without the others.
//!
//! # The head of a module
//!
//! A file that repairs a shortcoming begins with a doc comment of this form. An entry may go on in the next lines.
//!
//! ```text
//! //! smoltcp panics over a segment about 2^31 away from RCV.NXT.
//! //!
//! //! RFC 9293, section 3.4: numbers are compared modulo 2^32.
//! //! Upstream: <https://github.com/smoltcp-rs/smoltcp/issues/1048>.
//! //! Shown by: core/tests/smoltcp.rs, `a_segment_two_to_the_31_away_panics`
//! //! Kept by: core/src/tests/segments.rs
//! ```
//!
//! 1. Before `Upstream: `, a sentence with the word "smoltcp", and a line that begins with `RFC` and a number.
//! 2. `Upstream: `, and links to issues or pull requests of smoltcp, or `none`, and whatever else there is to say.
//! 3. `Shown by: `, and the tests on bare smoltcp, in backquotes: one at least, and only tests whose
//!    `repaired_by` names this module.
//! 4. `Kept by: `, and the files with the tests that fail without the module, separated by commas.
//!
//! # The table in `mod.rs`
//!
//! Each other file of the folder is named in the doc comment of `mod.rs` once: those with such a head by a row of
//! the table, whose first cell is the name, as in "[`far_segment`]"; all others in the paragraph that begins with
//! "The others are no repairs". These may have a head, too; then it is looked at.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation is how a test fails")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the repairs, within `core/src/`.
const FOLDER: &str = "tcp/socket";

/// The repository's root.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The Rust files of a folder: name without `.rs`, and text.
fn sources(folder: &str) -> BTreeMap<String, String> {
    let paths = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let rust = paths.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    rust.map(|path| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(&path).unwrap())
    })
    .collect()
}

/// The doc comment at the top of a file.
fn doc(source: &str) -> Vec<&str> {
    source.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim_start).collect()
}

/// What stands in backquotes.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The two entries of a head that name something else.
#[derive(Debug)]
struct Head {
    shown_by: Vec<String>,
    kept_by: Vec<String>,
}

impl Head {
    /// None if the file has no head: it does not say by which test its shortcoming is shown.
    fn read(source: &str) -> Option<Result<Self, String>> {
        let doc = doc(source);
        doc.iter().any(|line| line.starts_with("Shown by: ")).then(|| Self::parse(&doc))
    }

    fn parse(doc: &[&str]) -> Result<Self, String> {
        const KEYS: [&str; 3] = ["Upstream: ", "Shown by: ", "Kept by: "];
        let mut at = Vec::new();
        for key in KEYS {
            at.push(doc.iter().position(|line| line.starts_with(key)).ok_or(format!("no \"{key}\""))?);
        }
        let end =
            doc[at[2]..].iter().position(|line| line.is_empty()).map_or(doc.len(), |length| at[2] + length);
        let entry = |index: usize| {
            let lines = doc.get(at[index]..at.get(index + 1).copied().unwrap_or(end));
            lines.map(|lines| lines.join(" ")[KEYS[index].len()..].to_owned()).ok_or("entries out of order")
        };
        let (upstream, shown_by, kept_by) = (entry(0)?, entry(1)?, entry(2)?);
        let is_rfc = |line: &&str| {
            line.strip_prefix("RFC ")
                .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
        };
        if !doc[..at[0]].iter().any(|line| line.contains("smoltcp")) {
            return Err("it does not say what smoltcp does".to_owned());
        }
        if !doc[..at[0]].iter().any(is_rfc) {
            return Err("no line begins with RFC and a number".to_owned());
        }
        if !upstream.starts_with("none") && !upstream.contains("https://github.com/smoltcp-rs/smoltcp/") {
            return Err("Upstream is neither \"none\" nor a link".to_owned());
        }
        let kept_by = kept_by.split(',').map(|path| path.trim().trim_end_matches('.').to_owned()).collect();
        Ok(Self { shown_by: quoted(&shown_by), kept_by })
    }
}

/// The names in the table of `mod.rs`, and those in the paragraph of what is no repair.
fn named_in_mod(source: &str) -> (Vec<String>, Vec<String>) {
    let doc = doc(source);
    let cells =
        doc.iter().filter(|line| line.starts_with("| [`")).filter_map(|line| line.split(" | ").next());
    let rows = cells.flat_map(quoted).collect();
    let others = doc.iter().skip_while(|line| !line.starts_with("The others are no repairs"));
    let others: Vec<_> = others.take_while(|line| !line.is_empty()).copied().collect();
    (rows, quoted(&others.join(" ")))
}

/// The tests of a file, each with the modules that its `repaired_by` names.
fn tests(source: &str) -> Vec<(String, Vec<String>)> {
    let bodies = source.split("#[test]\n").skip(1);
    bodies
        .map(|body| {
            let name = body.trim_start().strip_prefix("fn ").unwrap().split('(').next().unwrap();
            let calls = body.split("repaired_by(").skip(1);
            (name.to_owned(), calls.map(|call| call.split('"').nth(1).unwrap().to_owned()).collect())
        })
        .collect()
}

/// What the tests on bare smoltcp say: test and module. Complains of tests that name none, or two.
fn shown(files: &BTreeMap<String, String>, complaints: &mut Vec<String>) -> BTreeMap<String, String> {
    let mut shown = BTreeMap::new();
    for (name, modules) in files.values().flat_map(|source| tests(source)) {
        match (name.starts_with("control_"), &modules[..]) {
            (true, []) => {}
            (false, [module]) => {
                if shown.insert(name.clone(), module.clone()).is_some() {
                    complaints.push(format!("two tests are called {name}"));
                }
            }
            (true, _) => complaints.push(format!("{name} is a control, and names a module")),
            (false, _) => complaints.push(format!("{name} has not one repaired_by, but {}", modules.len())),
        }
    }
    shown
}

/// Every difference between the four.
fn complaints(modules: &BTreeMap<String, String>, tests: &BTreeMap<String, String>) -> Vec<String> {
    let mut complaints = Vec::new();
    let shown = shown(tests, &mut complaints);
    let (rows, others) = named_in_mod(&modules["mod"]);
    let times = |names: &[String], module: &String| names.iter().filter(|name| *name == module).count();
    for name in rows.iter().chain(&others).filter(|name| !modules.contains_key(*name)) {
        complaints.push(format!("mod.rs names {name}, and there is no such file"));
    }
    for (module, source) in modules.iter().filter(|(module, _)| *module != "mod") {
        if times(&rows, module) + times(&others, module) != 1 {
            complaints.push(format!(
                "mod.rs does not name {module} once, be it in the table or among what is no repair"
            ));
        }
        match Head::read(source) {
            None if times(&rows, module) == 0 => {}
            None => complaints.push(format!("{module}.rs has no head")),
            Some(Err(problem)) => complaints.push(format!("{module}.rs: {problem}")),
            Some(Ok(head)) => {
                if head.shown_by.is_empty() {
                    complaints.push(format!("{module}.rs is shown by no test"));
                }
                let named = format!("{FOLDER}/{module}.rs");
                for test in head.shown_by.iter().filter(|test| shown.get(*test) != Some(&named)) {
                    complaints.push(format!("{module}.rs: no test {test} names {named}"));
                }
                for path in head.kept_by.iter().filter(|path| !root().join(path).is_file()) {
                    complaints.push(format!("{module}.rs: kept by {path}, which is not there"));
                }
            }
        }
    }
    for (test, module) in &shown {
        let name = module.trim_end_matches(".rs");
        let there = match name.strip_prefix(FOLDER) {
            Some(file) => modules.contains_key(&file[1..]),
            None => root().join("core/src").join(module).is_file(),
        };
        if !there {
            complaints.push(format!("{test} names {module}, which is not there"));
        }
    }
    complaints
}

#[test]
fn modules_heads_table_and_tests_agree() {
    let complaints = complaints(&sources("core/src/tcp/socket"), &sources("core/tests/smoltcp"));
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

const MOD: &str = r"//! The wrapper.
//!
//! | module | shortcoming |
//! |---|---|
//! | [`far`] | panics |
//!
//! The others are no repairs: [`tcb`] would be
//! needed anyway, and [`fast`].
";
const FAR: &str = r"//! smoltcp panics over a segment far away.
//!
//! RFC 9293, section 3.4: comparisons are modulo
//! 2^32.
//! Upstream: <https://github.com/smoltcp-rs/smoltcp/issues/1048>.
//! Shown by: core/tests/smoltcp.rs, `it_panics`,
//! `it_panics_again`
//! Kept by: core/tests/shortcomings.rs, core/tests/smoltcp.rs
//!
//! More.

fn far() {}
";
const TESTS: &str = r#"
#[test]
fn it_panics() {
    repaired_by("tcp/socket/far.rs", true);
}

#[test]
fn it_panics_again() {
    repaired_by(
        "tcp/socket/far.rs",
        true,
    );
}

#[test]
fn control_it_does_not() {
}
"#;

/// What is complained of if `from` stands as `to` in the three texts above.
fn found_in(from: &str, to: &str) -> Vec<String> {
    let text = |text: &str| text.replace(from, to);
    let modules = [("mod", text(MOD)), ("far", text(FAR)), ("tcb", String::new()), ("fast", String::new())];
    let modules = modules.map(|(name, text)| (name.to_owned(), text)).into();
    complaints(&modules, &[("a".to_owned(), text(TESTS))].into())
}

#[test]
fn what_agrees_draws_no_complaint() {
    assert_eq!(found_in("", ""), [""; 0]);
}

#[test]
fn each_difference_is_found() {
    for (from, to, complaint) in [
        ("//! | [`far`] | panics |\n", "", "does not name far once"),
        ("[`far`]", "[`near`]", "mod.rs names near"),
        ("[`fast`]", "none", "does not name fast once"),
        ("[`fast`]", "[`far`]", "does not name far once"),
        ("Shown by: ", "Shown: ", "far.rs has no head"),
        ("//! Upstream: ", "//! In ", "no \"Upstream: \""),
        ("Kept by: ", "Kept in ", "no \"Kept by: \""),
        ("Upstream: <https", "Upstream: <http", "neither \"none\" nor a link"),
        ("//! RFC 9293", "//! It", "no line begins with RFC"),
        ("//! smoltcp panics", "//! It panics", "what smoltcp does"),
        ("`it_panics`,\n//! `it_panics_again`", "none", "shown by no test"),
        ("`it_panics`", "`it_never_panics`", "no test it_never_panics names"),
        ("core/tests/shortcomings.rs", "core/tests/no_such.rs", "which is not there"),
        ("\"tcp/socket/far.rs\", true", "\"tcp/socket/near.rs\", true", "names tcp/socket/near.rs"),
        ("\"tcp/socket/far.rs\", true", "\"tcp/near.rs\", true", "names tcp/near.rs"),
        ("fn control_it_does_not", "fn it_does_not", "has not one repaired_by"),
        ("fn it_panics_again", "fn control_it_panics_again", "is a control"),
        ("fn it_panics_again", "fn it_panics", "two tests are called it_panics"),
    ] {
        let found = found_in(from, to);
        assert!(found.iter().any(|found| found.contains(complaint)), "{to:?}: {complaint}: {found:?}");
    }
}
