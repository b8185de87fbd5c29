//! The prompt on a terminal: what whoever types can do there.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::program::Program;
use crate::server::{Server, V4, on_a_terminal, shout_on_a_terminal};

tests![
    whoever_types_gets_a_prompt,
    what_becomes_of_a_line_is_told,
    a_line_can_be_edited,
    earlier_lines_come_back,
    ctrl_c_ends_the_client,
    ctrl_z_stops_the_client_and_fg_brings_the_prompt_back,
    a_client_that_is_stopped_by_another_process_comes_back_too,
    a_client_that_a_signal_ends_gives_the_terminal_back,
    raw_lines_have_a_newline,
    the_servers_end_ends_the_client_and_gives_the_terminal_back,
];

const LEFT: &str = "\u{1b}[D";
const UP: &str = "\u{1b}[A";
const CTRL_A: &str = "\u{1}";
const CTRL_C: &str = "\u{3}";
const CTRL_D: &str = "\u{4}";
const CTRL_E: &str = "\u{5}";
const CTRL_Z: &str = "\u{1a}";

const PROMPT: &str = ">>: ";

/// Types something, and waits until both texts have come after it, one after the other.
#[track_caller]
fn exchange(typing: &mut Program, typed: &str, first: &str, second: &str) {
    let before = typing.output.text().len();
    typing.say(typed);
    typing.output.wait_until(&format!("{first:?} and {second:?}"), |text| {
        let new = text.get(before..).unwrap_or("");
        new.split_once(first).is_some_and(|(_, rest)| rest.contains(second))
    });
}

/// A client at its first prompt.
#[track_caller]
fn prompted(arguments: &str) -> Program {
    let typing = shout_on_a_terminal(arguments);
    typing.output.wait_until("the prompt", |text| text.contains(PROMPT));
    typing
}

#[track_caller]
fn leave(mut typing: Program) {
    typing.say(CTRL_D);
    assert_eq!(typing.wait().code(), Some(0));
}

fn whoever_types_gets_a_prompt() {
    let _server = Server::start(&[]);
    for protocol in ["tcp", "udp"] {
        let mut typing = prompted(&format!("{protocol} {V4}"));
        exchange(&mut typing, "typed\r", "TYPED", PROMPT);
        leave(typing);
    }
}

fn what_becomes_of_a_line_is_told() {
    let _server = Server::start(&[]);
    for (protocol, form) in
        [("tcp", "without white space"), ("udp", "without white space"), ("tcp --raw", "as it is")]
    {
        let typing = prompted(&format!("{protocol} {V4}"));
        assert!(typing.output.text().contains(form), "{}", typing.output.text());
        leave(typing);
    }
}

fn a_line_can_be_edited() {
    let _server = Server::start(&[]);
    let mut typing = prompted(&format!("tcp {V4}"));
    let line = format!("wrld{}o{CTRL_A}hello {CTRL_E}!\r", LEFT.repeat(3));
    exchange(&mut typing, &line, "HELLO WORLD!", PROMPT);
    leave(typing);
}

fn earlier_lines_come_back() {
    let _server = Server::start(&[]);
    let mut typing = prompted(&format!("udp {V4}"));
    exchange(&mut typing, "first\r", "FIRST", PROMPT);
    exchange(&mut typing, "second\r", "SECOND", PROMPT);
    exchange(&mut typing, &format!("{UP}{UP} again\r"), "FIRST AGAIN", PROMPT);
    leave(typing);
}

fn ctrl_c_ends_the_client() {
    let _server = Server::start(&[]);
    for arguments in [&format!("tcp {V4}"), &format!("udp {V4}"), "demo"] {
        let mut typing = prompted(arguments);
        typing.say(&format!("half a line{CTRL_C}"));
        assert_eq!(typing.wait().code(), Some(130), "{arguments}");
    }
}

fn ctrl_z_stops_the_client_and_fg_brings_the_prompt_back() {
    let _server = Server::start(&[]);
    for arguments in [&format!("tcp {V4}"), &format!("udp {V4}"), "demo"] {
        let mut shell = on_a_terminal("bash --norc -i");
        exchange(
            &mut shell,
            &format!("PS1=ready; {} {arguments}\r", env!("CARGO_BIN_EXE_shout")),
            "",
            PROMPT,
        );
        exchange(&mut shell, "before\r", "BEFORE", PROMPT);
        for round in 0..4 {
            exchange(&mut shell, &format!("lf a line{CTRL_Z}"), "Stopped", "ready");
            exchange(&mut shell, &format!("echo $((41 + {round}))\r"), &format!("{}", 41 + round), "ready");
            // What was typed is still there, and what Ctrl-A does shows that the terminal is in raw mode.
            exchange(&mut shell, "fg\r", PROMPT, "lf a line");
            exchange(&mut shell, &format!("{CTRL_A}ha\r"), "HALF A LINE", PROMPT);
        }
        exchange(&mut shell, CTRL_D, "ready", "");
        shell.say("exit $?\r");
        assert_eq!(shell.wait().code(), Some(0));
    }
}

fn a_client_that_is_stopped_by_another_process_comes_back_too() {
    let _server = Server::start(&[]);
    let mut shell = on_a_terminal("bash --norc -i");
    // A shell that becomes the client says who that is.
    let line = format!("PS1=ready; (echo pid=$BASHPID.; exec {} tcp {V4})\r", env!("CARGO_BIN_EXE_shout"));
    exchange(&mut shell, &line, "", PROMPT);
    let text = shell.output.text();
    let number = text.rsplit("pid=").next().and_then(|rest| rest.split_once('.')).unwrap().0;
    let client = Pid::from_raw(number.parse().unwrap());
    for signal in [Signal::SIGSTOP, Signal::SIGTSTP] {
        exchange(&mut shell, "lf a", "lf a", "");
        let before = shell.output.text().len();
        kill(client, signal).unwrap();
        shell.output.wait_until("the shell's prompt", |text| text[before..].contains("ready"));
        exchange(&mut shell, "fg\r", PROMPT, "lf a");
        exchange(&mut shell, &format!("{CTRL_A}ha{CTRL_E} line\r"), "HALF A LINE", PROMPT);
    }
    exchange(&mut shell, CTRL_D, "ready", "");
    shell.say("exit $?\r");
    assert_eq!(shell.wait().code(), Some(0));
}

fn a_client_that_a_signal_ends_gives_the_terminal_back() {
    let _server = Server::start(&[]);
    for (signal, client) in [
        (Signal::SIGTERM, &format!("tcp {V4}")),
        (Signal::SIGHUP, &format!("udp {V4}")),
        (Signal::SIGQUIT, &"demo".to_owned()),
    ] {
        // An interactive shell would put the terminal right itself.
        let line = format!(
            "(echo pid=$BASHPID.; exec {} {client}); echo code $?; stty -a | grep -o \" -*icanon\"; read line; echo $line | tr a-z A-Z",
            env!("CARGO_BIN_EXE_shout")
        );
        let mut shell = on_a_terminal(&format!("bash -c '{line}'"));
        let text = shell.output.wait_until("the prompt", |text| text.contains(PROMPT));
        let number = text.split("pid=").nth(1).and_then(|rest| rest.split_once('.')).unwrap().0;
        kill(Pid::from_raw(number.parse().unwrap()), signal).unwrap();
        shell.output.wait_until("the end", |text| text.contains(&format!("code {}", 128 + signal as i32)));
        exchange(&mut shell, "a whole line\r", "A WHOLE LINE", "");
        let text = shell.output.text();
        assert!(text.contains(" icanon"), "{signal}: {text}");
        assert_eq!(shell.wait().code(), Some(0));
    }
}

fn raw_lines_have_a_newline() {
    let _server = Server::start(&[]);
    for protocol in ["tcp", "udp"] {
        let mut typing = prompted(&format!("{protocol} --raw {V4}"));
        // The terminal makes a carriage return and a line feed of the newline that comes back.
        exchange(&mut typing, "  two \r", "  TWO \r\n", PROMPT);
        leave(typing);
    }
}

fn the_servers_end_ends_the_client_and_gives_the_terminal_back() {
    let server = Server::start(&[]);
    let mut shell = on_a_terminal("bash --norc -i");
    exchange(&mut shell, &format!("PS1=ready; {} tcp {V4}\r", env!("CARGO_BIN_EXE_shout")), "", PROMPT);
    server.terminate();
    shell.output.wait_until("the error", |text| text.contains("closed the connection"));
    exchange(&mut shell, "stty -a | grep -o ' -*icanon'; echo $((6 * 7))\r", " icanon", "42");
    shell.say("exit 0\r");
    assert_eq!(shell.wait().code(), Some(0));
}
