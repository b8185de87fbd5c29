//! What is said of a wrong command line: one line, and the tips of clap's and our own below it.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cli::pages;

/// Options that need one of others.
const NEEDED: [(&str, &[&str]); 3] =
    [("--seed", &["--drop", "--corrupt"]), ("--shaping-interval", &["--rate-limit"]), ("--mac", &["--tap"])];

/// clap's sentence and tips, without the usage, which is several lines that say nothing about the mistake.
pub(super) fn complaint(error: &clap::Error, arguments: &[OsString]) -> String {
    let text = error.render().to_string();
    let paragraph = text.lines().take_while(|line| !line.trim().is_empty());
    let sentence: Vec<&str> = paragraph.flat_map(str::split_whitespace).collect();
    let sentence = missing_option(error, arguments).unwrap_or_else(|| sentence.join(" "));
    let mut complaint = format!("{sentence} (see {} --help)\n", command(arguments));
    let tips = text.lines().map(str::trim).filter(|line| line.starts_with("tip: ")).map(str::to_owned);
    for tip in missing_separator(error, arguments).into_iter().chain(tips) {
        complaint += &format!("  {tip}\n");
    }
    complaint
}

/// The command that was meant, as far as that can be seen.
fn command(arguments: &[OsString]) -> String {
    match command_word(arguments).and_then(|at| arguments.get(at)) {
        Some(word) => format!("shout {}", word.to_string_lossy()),
        None => "shout".to_owned(),
    }
}

/// Where the command's word stands.
fn command_word(arguments: &[OsString]) -> Option<usize> {
    let known = |word: &OsString| pages::COMMANDS.iter().any(|page| word == page.command);
    arguments.iter().skip(1).position(known).map(|at| at + 1)
}

/// Of an option without the one that it goes with, clap names the latter alone.
fn missing_option(error: &clap::Error, arguments: &[OsString]) -> Option<String> {
    if error.kind() != ErrorKind::MissingRequiredArgument {
        return None;
    }
    let Some(ContextValue::Strings(missing)) = error.get(ContextKind::InvalidArg) else { return None };
    let (option, needed) = NEEDED.iter().find(|(option, needed)| {
        let is_given =
            |word: &OsString| word.to_str().and_then(|word| word.split('=').next()) == Some(option);
        let is_missing = |missing: &String| needed.iter().any(|needed| missing.contains(needed));
        arguments.iter().any(is_given) && missing.iter().any(is_missing)
    })?;
    Some(format!("error: {option} goes with {}", needed.join(" or ")))
}

/// `shout demo bash`, where `shout demo -- bash` was meant.
fn missing_separator(error: &clap::Error, arguments: &[OsString]) -> Option<String> {
    let (ErrorKind::UnknownArgument, Some(ContextValue::String(unknown))) =
        (error.kind(), error.get(ContextKind::InvalidArg))
    else {
        return None;
    };
    let demo = command_word(arguments).filter(|&at| arguments[at] == "demo")?;
    let start = arguments.iter().skip(demo).position(|word| word == unknown.as_str())?;
    if unknown.starts_with('-') {
        return None;
    }
    let words = |words: &[OsString]| {
        words.iter().map(|word| format!(" {}", word.to_string_lossy())).collect::<String>()
    };
    let (options, program) = arguments.get(demo..)?.split_at_checked(start)?;
    Some(format!("tip: a command to run goes after `--`: shout{} --{}", words(options), words(program)))
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;

    use super::*;
    use crate::cli::definition::definition;

    fn complaint(line: &str) -> String {
        let arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let error = definition().try_get_matches_from(&arguments).unwrap_err();
        assert_ne!(error.kind(), ErrorKind::DisplayHelp);
        super::complaint(&error, &arguments)
    }

    #[test]
    fn clap_s_tips_are_kept() {
        assert_eq!(
            complaint("shout serve --prot 80"),
            "error: unexpected argument '--prot' found (see shout serve --help)\n  \
             tip: a similar argument exists: '--port'\n"
        );
        assert!(complaint("shout dmeo").contains("  tip: a similar subcommand exists: 'demo'\n"));
    }

    #[test]
    fn the_separator_of_a_demo_is_shown_where_it_is_missing() {
        let tip = "  tip: a command to run goes after `--`: shout demo";
        assert!(complaint("shout demo bash -i").contains(&format!("{tip} -- bash -i\n")));
        let with_options = complaint("shout -v demo --drop 20 nc -N 192.168.69.1 8080");
        assert!(
            with_options.contains(&format!("{tip} --drop 20 -- nc -N 192.168.69.1 8080\n")),
            "{with_options}"
        );
        assert!(!complaint("shout demo --bash").contains("goes after"));
        assert!(!complaint("shout tcp demo 1 2").contains("goes after"));
        assert!(!complaint("shout serve demo").contains("goes after"));
    }

    #[test]
    fn an_option_that_goes_with_another_is_told_which() {
        for (line, sentence) in [
            ("shout --seed 5", "error: --seed goes with --drop or --corrupt (see shout --help)\n"),
            ("shout demo --seed=5", "error: --seed goes with --drop or --corrupt (see shout demo --help)\n"),
            (
                "shout serve --shaping-interval 1s",
                "error: --shaping-interval goes with --rate-limit (see shout serve --help)\n",
            ),
            ("shout --mac 02:00:00:00:00:01 --drop 1", "error: --mac goes with --tap (see shout --help)\n"),
        ] {
            assert_eq!(complaint(line), sentence);
        }
        assert!(complaint("shout tcp").contains("<HOST:PORT>"));
    }

    #[test]
    fn a_number_out_of_range_is_told_the_range() {
        for line in ["shout --port http", "shout demo --port 65536", "shout --port -1", "shout --port="] {
            let complaint = complaint(line);
            assert!(complaint.contains("give a whole number from 1 to 65535"), "{complaint}");
        }
    }
}
