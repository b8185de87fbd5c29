//! Every command of the page README.md is run as it stands there, and has the output that stands there. What is not run is listed
//! here with the reason.
//!
//! In a `console` block, `$ ` begins a command, which goes on over lines until its quotes are closed; `>>: ` is typed at
//! the prompt of the command before; other lines are output. In an `sh` block each line is a command. The commands of a
//! section run one after the other in one directory and one network.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::namespace::ip;
use crate::program::{LIMIT_WITH_LOSSES, Program, run_for};

tests![
    every_command_of_the_page_does_what_the_page_says,
    what_is_listed_here_is_on_the_page,
    the_page_is_short,
    links_of_all_pages_lead_somewhere,
];

/// Commands that are not run, and why.
const NOT_RUN: [(&str, &str); 5] = [
    (
        "cargo build --release && target/release/shout demo",
        "it builds for minutes; its second half is run as `shout demo`",
    ),
    (
        "sudo apt-get install gcc libc6-dev iproute2 util-linux procps netcat-openbsd ncat socat tcpdump nftables conntrack python3",
        "it changes the machine; .ci/run installs these",
    ),
    ("cargo test --workspace", "it runs this test"),
    (
        "shout demo --pcap - -- sh -c 'nc 192.168.69.1 8080 >&2' | wireshark -k -i -",
        "Wireshark needs a display; tests/e2e/demo.rs reads what comes through such a pipe",
    ),
    ("cargo install --locked --path host", "it builds for minutes; .ci/run does it"),
];

/// Commands that serve until they are ended, which is at the end of their section.
const SERVERS: [&str; 2] =
    ["sudo target/release/shout", "sudo target/release/shout --tap -4 --address 192.168.1.200/24"];

/// Commands whose output is each time another one, of lines that are like those of the page but for their numbers.
const VARYING: [&str; 1] = ["seq 5 | shout demo -q --drop 20 -- shout udp --timeout 200ms 192.168.69.1:8080"];

/// The repository's root.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A command of the page.
#[derive(Debug, Default)]
struct Step {
    command: String,
    typed: Vec<String>,
    output: String,
}

/// The commands of the page, by section.
fn sections(page: &str) -> Vec<Vec<Step>> {
    let mut sections = vec![Vec::new()];
    let mut language = None;
    for line in page.lines() {
        match (language, line.strip_prefix("```")) {
            (None, Some(name)) => language = Some(name),
            (None, None) if line.starts_with('#') => sections.push(Vec::new()),
            (None, None) => {}
            (Some(_), Some(_)) => language = None,
            (Some(name), None) => add(sections.last_mut().unwrap(), name, line),
        }
    }
    sections.retain(|section| !section.is_empty());
    sections
}

fn add(section: &mut Vec<Step>, language: &str, line: &str) {
    let command = match language {
        "sh" => Some(line),
        "console" => line.strip_prefix("$ "),
        _ => return,
    };
    if let Some(command) = command {
        section.push(Step { command: command.to_owned(), ..Step::default() });
        return;
    }
    let step = section.last_mut().expect("output before the first command");
    if !step.command.matches('\'').count().is_multiple_of(2) {
        step.command += &format!("\n{line}");
    } else if let Some(typed) = line.strip_prefix(">>: ") {
        step.typed.push(typed.to_owned());
    } else {
        step.output += &format!("{line}\n");
    }
}

/// A place where the program is found as the page has it: in target/release, in the path, and by way of sudo.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let place = std::env::temp_dir().join(format!("shout-readme-{}", std::process::id()));
        let programs = place.join("target/release");
        fs::create_dir_all(&programs).unwrap();
        symlink(env!("CARGO_BIN_EXE_shout"), programs.join("shout")).unwrap();
        // These tests are root's already. A link and no program of its own: what another test is just starting would hold a
        // file open for writing until it runs, and what is open for writing cannot be run (ETXTBSY).
        symlink("/usr/bin/env", programs.join("sudo")).unwrap();
        Self(place)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("bash");
        let path = format!("{}:{}", self.0.join("target/release").display(), std::env::var("PATH").unwrap());
        command.args(["-c", line]).current_dir(&self.0).env("PATH", path).env_remove("RUST_LOG");
        command
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // It is in the way of nothing if it stays.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn every_command_of_the_page_does_what_the_page_says() {
    let place = Place::new();
    for section in sections(&page("README.md")) {
        // Whoever has a bridge has it before.
        if section.iter().any(|step| step.command.contains(" master br0")) {
            ip("link add br0 type bridge");
        }
        let mut servers = Vec::new();
        for step in section {
            let line = &step.command;
            if NOT_RUN.iter().any(|(command, _)| command == line) {
                continue;
            }
            if SERVERS.contains(&line.as_str()) {
                let server = Program::start(&mut place.command(&format!("exec {line}")));
                server.errors.wait_for_line(&["listening on "]);
                servers.push(server);
            } else if step.typed.is_empty() {
                // Some demonstrate what losses do.
                let mut command = place.command(&format!("{{ {line}\n}} 2>&1"));
                assert_output(&step, &run_for(LIMIT_WITH_LOSSES, &mut command, b"").stdout());
            } else {
                assert_conversation(&place, &step);
            }
        }
    }
}

#[track_caller]
fn assert_output(step: &Step, output: &str) {
    let Step { command, output: expected, .. } = step;
    if VARYING.contains(&command.as_str()) {
        let form = |line: &str| line.replace(|digit: char| digit.is_ascii_digit(), "0");
        let forms: Vec<String> = expected.lines().map(form).collect();
        assert_eq!(output.lines().count(), expected.lines().count(), "{command}\n{output}");
        for line in output.lines() {
            assert!(forms.contains(&form(line)), "{command}: the page has no line like {line:?}");
        }
    } else if !expected.is_empty() {
        assert_eq!(output, expected, "{command}");
    }
}

/// What is typed on a terminal, and what is seen there.
#[track_caller]
fn assert_conversation(place: &Place, step: &Step) {
    let mut command =
        place.command(&format!("script --quiet --return --command {:?} /dev/null", step.command));
    let mut terminal = Program::start(command.env("TERM", "dumb").stdin(Stdio::piped()));
    for (count, typed) in (1..).zip(&step.typed) {
        let prompts = |text: &str| text.matches(">>: ").count() >= count;
        terminal.output.wait_until("a prompt", prompts);
        terminal.say(&format!("{typed}\n"));
    }
    let last = |text: &str| text.matches(">>: ").count() > step.typed.len();
    let seen = terminal.output.wait_until("the last prompt", last);
    let mut rest = seen.as_str();
    for line in step.output.lines() {
        let found = rest.split_once(&format!("\n{line}\r\n"));
        rest = found.unwrap_or_else(|| panic!("{}: {line:?} is not in {rest:?}", step.command)).1;
    }
    // Ctrl-D.
    terminal.say("\u{4}");
    assert_eq!(terminal.wait().code(), Some(0), "{}", step.command);
}

fn what_is_listed_here_is_on_the_page() {
    let page = page("README.md");
    let commands: Vec<String> = sections(&page).into_iter().flatten().map(|step| step.command).collect();
    let listed = NOT_RUN.iter().map(|&(command, _)| command).chain(SERVERS).chain(VARYING);
    for command in listed {
        assert!(
            commands.iter().any(|on_the_page| on_the_page == command),
            "README.md does not say: {command}"
        );
    }
}

/// With the tables that the benchmark writes. What has no letter or digit, such as a table's lines, is no word.
fn the_page_is_short() {
    let page = page("README.md");
    let words = page.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count();
    assert!(words <= 1500, "README.md has {words} words");
}

fn links_of_all_pages_lead_somewhere() {
    let mut broken = Vec::new();
    for name in PAGES {
        let text = page(name);
        let folder = root().join(name).parent().unwrap().to_path_buf();
        for target in
            text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target)
        {
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { root().join(name) } else { folder.join(file) };
            if !path.exists() || !has_anchor(&path, anchor) {
                broken.push(format!("{name}: {target}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The pages that people read.
const PAGES: [&str; 12] = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "core/boards/README.md",
    "core/README.md",
    "host/README.md",
    "host/deploy/README.md",
    "tests/README.md",
    "tests/benches/FINDINGS.md",
    "tests/benches/RESULTS.md",
    "tests/e2e/note/README.md",
];

/// Whether a page has a heading that is called so in links.
fn has_anchor(path: &Path, anchor: &str) -> bool {
    let name = |line: &str| {
        let kept = line.trim_start_matches('#').trim().to_lowercase();
        let kept: String = kept.chars().filter(|&c| c.is_alphanumeric() || c == ' ' || c == '-').collect();
        kept.replace(' ', "-")
    };
    let has = |text: String| text.lines().any(|line| line.starts_with('#') && name(line) == anchor);
    anchor.is_empty() || fs::read_to_string(path).is_ok_and(has)
}
