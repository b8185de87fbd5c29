//! Writes the manual pages and the shells' completions for the package, from the command line's own definition:
//! `cargo run -p shout-host --example manual -- DIRECTORY`.
//!
//! The pages bear the date of `SOURCE_DATE_EPOCH`, in seconds since 1970, as reproducible builds set it, or else today's.

use core::time::Duration;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{env, fs};

use clap_complete::{Shell, generate_to};
use clap_mangen::Man;
use shout_host::pages::{self, Page};

fn main() -> io::Result<()> {
    let Some(directory) = env::args_os().nth(1).map(PathBuf::from) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "give the directory to write to"));
    };
    fs::create_dir_all(&directory)?;
    write_pages(&directory, &date())?;
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        generate_to(shell, &mut shout_host::definition(), "shout", &directory)?;
    }
    Ok(())
}

fn date() -> String {
    let epoch = env::var("SOURCE_DATE_EPOCH").ok().and_then(|seconds| seconds.parse().ok());
    let time =
        epoch.map_or_else(SystemTime::now, |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
    humantime::format_rfc3339_seconds(time).to_string().chars().take("YYYY-MM-DD".len()).collect()
}

fn write_pages(directory: &Path, date: &str) -> io::Result<()> {
    // The command `help` needs no page.
    let mut definition = shout_host::definition().disable_help_subcommand(true);
    definition.build();
    for page in pages::COMMANDS.iter().chain([&pages::SHOUT]) {
        let command = definition.find_subcommand(page.command).unwrap_or(&definition);
        let source = concat!("shout ", env!("CARGO_PKG_VERSION"));
        let man = Man::new(command.clone());
        let name = man.get_filename();
        let man = man.title(name.trim_end_matches(".1").to_uppercase());
        let man = man.date(date).source(source).manual("User Commands");
        let mut file = fs::File::create(directory.join(name))?;
        write_page(&man, command, page, &mut file)?;
    }
    Ok(())
}

fn write_page(man: &Man, command: &clap::Command, page: &Page, out: &mut impl Write) -> io::Result<()> {
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    writeln!(out, ".SH DESCRIPTION")?;
    // The first paragraph is that of NAME.
    let description = command.get_long_about().map(ToString::to_string).unwrap_or_default();
    let paragraphs: Vec<String> = description.split("\n\n").skip(1).map(escaped).collect();
    writeln!(out, "{}", paragraphs.join("\n.PP\n"))?;
    man.render_options_section(out)?;
    if page.command.is_empty() {
        man.render_subcommands_section(out)?;
    }
    if page.command == "serve" {
        write_section("Counters", &shout_host::counters(), out)?;
    }
    for section in page.sections {
        write_section(section.title, section.entries, out)?;
    }
    Ok(())
}

fn write_section(
    title: &str,
    entries: &[(impl AsRef<str>, impl AsRef<str>)],
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(out, ".SH \"{}\"", title.to_uppercase())?;
    for (term, explanation) in entries {
        let explanation: Vec<&str> = explanation.as_ref().split_whitespace().collect();
        if explanation.is_empty() {
            writeln!(out, "{}", escaped(term.as_ref()))?;
        } else {
            writeln!(out, ".TP\n\\fB{}\\fR\n{}", escaped(term.as_ref()), escaped(&explanation.join(" ")))?;
        }
    }
    Ok(())
}

/// Text as roff(7) takes it: no character of it is a request.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is how a test fails")]
mod tests {
    use super::*;

    #[test]
    fn each_page_has_what_a_manual_page_has() {
        let directory = env::temp_dir().join(format!("shout-manual-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        write_pages(&directory, "2026-01-02").unwrap();
        let version = env!("CARGO_PKG_VERSION");
        for name in ["shout", "shout-serve", "shout-tcp", "shout-udp", "shout-demo"] {
            let text = fs::read_to_string(directory.join(format!("{name}.1"))).unwrap();
            let title = text.lines().find(|line| line.starts_with(".TH")).unwrap();
            assert!(title.contains("2026-01-02") && title.contains(version), "{title}");
            assert!(title.contains(&format!(" {} 1 ", name.to_uppercase())), "{title}");
            assert!(!text.contains("DESCRIPTION\n.PP"), "{text}");
            for heading in [
                "NAME",
                "SYNOPSIS",
                "DESCRIPTION",
                "OPTIONS",
                "EXAMPLES",
                "EXIT STATUS",
                "SIGNALS",
                "SEE ALSO",
            ] {
                let there =
                    text.lines().any(|line| line.trim_start_matches(".SH ").trim_matches('"') == heading);
                assert!(there, "{name} has no {heading}:\n{text}");
            }
            assert!(!text.contains("parent"), "{name}");
        }
        let serve = fs::read_to_string(directory.join("shout-serve.1")).unwrap();
        let counters = shout_host::counters();
        let (term, meaning) = counters.last().unwrap();
        assert!(serve.contains(".SH \"COUNTERS\"") && serve.contains(&escaped(term)), "{serve}");
        assert!(serve.contains(&escaped(meaning)), "{serve}");
        let demo = fs::read_to_string(directory.join("shout-demo.1")).unwrap();
        assert!(demo.contains("\\-\\- COMMAND"), "{demo}");
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn completions_offer_nothing_that_is_not_for_users() {
        for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut shout_host::definition(), "shout", &mut script);
            let script = String::from_utf8(script).unwrap();
            assert!(script.contains("host-address") && !script.contains("parent-is-demo"), "{shell}");
        }
    }
}
