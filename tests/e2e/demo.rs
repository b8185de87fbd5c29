//! `shout demo`: a server and its client in a network of their own.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

use crate::failures::cover_dev_net;
use crate::namespace::{has_other_users, own_mounts, snapshot};
use crate::outsider;
use crate::privileges::assert_powerless;
use crate::program::{LIMIT, Program, run};
use crate::recording::records;
use crate::server::{on_a_terminal, shout, shout_on_a_terminal};

tests![
    lines_from_a_pipe_are_answered_over_either_protocol,
    whoever_types_gets_a_prompt,
    a_command_reaches_the_server,
    the_exit_code_is_the_command_s,
    a_command_finds_signals_and_environment_as_they_were,
    a_shell_controls_its_jobs,
    ctrl_c_is_for_the_command,
    a_signal_from_elsewhere_is_for_the_command,
    the_machine_is_not_touched,
    a_user_without_rights_needs_none,
    the_server_holds_no_privilege,
    the_server_ends_with_a_demo_that_is_killed,
    the_server_s_options_are_taken,
    what_passes_goes_to_standard_output,
    a_shell_is_told_where_the_server_is,
    the_server_is_called_shout_and_gets_sigusr1,
    the_prompt_ends_with_its_server,
    a_command_is_told_that_its_server_has_ended,
    where_user_namespaces_are_not_allowed,
    where_the_device_file_is_missing_or_closed,
];

fn lines_from_a_pipe_are_answered_over_either_protocol() {
    for arguments in [&["demo"][..], &["demo", "--udp"]] {
        let output = run(&mut shout(arguments), b"hello\nworld\n");
        assert_eq!((output.code(), output.stdout().as_str()), (Some(0), "HELLO\nWORLD\n"), "{output}");
        assert_eq!(output.stderr, "", "the server's log is in the way");
    }
    let verbose = run(&mut shout(&["demo", "-v"]), b"hello\n");
    assert!(verbose.stdout() == "HELLO\n" && verbose.stderr.contains("listening on "), "{verbose}");
}

fn whoever_types_gets_a_prompt() {
    let mut demo = shout_on_a_terminal("demo");
    demo.output.wait_until("the prompt", |text| text.contains(">>: "));
    demo.say("typed\r");
    demo.output.wait_until("the reply and another prompt", |text| {
        text.split_once("TYPED").is_some_and(|(_, rest)| rest.contains(">>: "))
    });
    assert!(!demo.output.text().contains("INFO"), "the server's log garbles the prompt");
    // Ctrl-D.
    demo.say("\u{4}");
    assert_eq!(demo.wait().code(), Some(0));
}

fn a_command_reaches_the_server() {
    let output = run(&mut shout(&["demo", "--", "nc", "-N", "192.168.69.1", "8080"]), b"hello\n");
    assert_eq!((output.code(), output.stdout().as_str()), (Some(0), "HELLO\n"), "{output}");
    let links = run(&mut shout(&["demo", "--", "ip", "-o", "link"]), b"").stdout();
    let is_up = |link: &&str| links.lines().any(|line| line.contains(link) && line.contains("UP"));
    assert!([" lo: ", " shout0: "].iter().all(is_up) && links.lines().count() == 2, "{links}");
}

fn the_exit_code_is_the_command_s() {
    for (command, code) in [
        (&["true"][..], 0),
        (&["sh", "-c", "exit 7"], 7),
        (&["sh", "-c", "exit 255"], 255),
        (&["sh", "-c", "kill -KILL $$"], 128 + 9),
        (&["sh", "-c", "kill -TERM $$"], 128 + 15),
        (&["/no/such/program"], 127),
        (&["/etc/passwd"], 126),
    ] {
        let arguments = [&["demo", "--"], command].concat();
        let output = run(&mut shout(&arguments), b"");
        assert_eq!(output.code(), Some(code), "{command:?}: {output}");
        let complains = code == 126 || code == 127;
        assert_eq!(output.stderr.contains(command[0]), complains, "{output}");
    }
}

fn a_command_finds_signals_and_environment_as_they_were() {
    let surroundings = ["env", "--ignore-signal=USR2", "--block-signal=HUP", "ODD=a=b\n c"];
    let demo = [env!("CARGO_BIN_EXE_shout"), "demo", "--"];
    // The demo itself blocks signals while a command runs, and as a Rust program it ignores SIGPIPE. A shell would
    // unblock what it finds blocked.
    let signals = ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"];
    let words = ["sh", "-c", "printf '<%s>' \"$ODD\" \"$@\"", "sh", "", "two words", "\u{fc}"];
    for command in [&signals[..], &words] {
        let output = |demo| {
            let arguments = [&surroundings[1..], demo, command].concat();
            let output = run(Command::new(surroundings[0]).args(arguments), b"");
            assert_eq!(output.code(), Some(0), "{output}");
            output.stdout()
        };
        assert_eq!(output(&demo[..]), output(&[]));
    }
}

fn a_shell_controls_its_jobs() {
    let mut shell = shout_on_a_terminal("demo -- bash --norc -i");
    shell.say("sh -c 'echo $((6 * 7)); exec sleep 1000'\r");
    shell.output.wait_until("the job's start", |text| text.contains("42"));
    // Ctrl-Z.
    shell.say("\u{1a}");
    let text = shell.output.wait_until("the stop", |text| text.contains("Stopped"));
    assert!(!text.contains("job control"), "{text}");
    shell.say("kill -9 %1; sh -c 'echo $((7 * 7)); exec sleep 1000'\r");
    shell.output.wait_until("another job's start", |text| text.contains("49"));
    // Ctrl-C ends the job, and neither the shell nor the server.
    shell.say("\u{3}");
    shell.say("echo shell | nc -N 192.168.69.1 8080; exit 3\r");
    shell.output.wait_until("the echo", |text| text.contains("SHELL"));
    assert_eq!(shell.wait().code(), Some(3));
}

fn ctrl_c_is_for_the_command() {
    // Without job control: all that this shell starts stays in the process group of the terminal.
    let script = "trap : INT; echo $((6 * 7)); cat; echo after | nc -N 192.168.69.1 8080";
    let mut demo = shout_on_a_terminal(&format!("demo -- sh -c '{script}'"));
    demo.output.wait_until("the start", |text| text.contains("42"));
    // Ctrl-C, and Ctrl-D in case that `cat` had not been started.
    demo.say("\u{3}\u{4}");
    demo.output.wait_until("the echo", |text| text.contains("AFTER"));
    assert_eq!(demo.wait().code(), Some(0));
}

fn a_signal_from_elsewhere_is_for_the_command() {
    let script = "trap 'echo heard; exit 9' TERM; echo ready; while :; do read line; done";
    let mut demo = Program::start(&mut shout(&["demo", "--", "bash", "-c", script]));
    demo.output.wait_for_line(&["ready"]);
    demo.signal(Signal::SIGTERM);
    assert_eq!(demo.wait().code(), Some(9), "{}", demo.output.text());
}

fn the_machine_is_not_touched() {
    let before = snapshot();
    let mut demo = Program::start_with_own_errors(shout(&["demo", "--", "cat"]).stderr(Stdio::null()));
    demo.say("ready\n");
    demo.output.wait_for_line(&["ready"]);
    assert_eq!(snapshot(), before);
    let server = format!("/proc/{}", server_of(&demo));
    demo.end_input();
    assert_eq!(demo.wait().code(), Some(0));
    assert!(!Path::new(&server).exists(), "the server outlives the demo");
    assert_eq!(snapshot(), before);
}

/// `shout` as a user without rights; after [`outsider::open_machine`].
fn outsiders(arguments: &[&str]) -> Command {
    // In a user namespace, everybody is one; but its root without capabilities may not make another, and no user can be
    // that.
    if has_other_users() { outsider::command(arguments) } else { shout(arguments) }
}

fn a_user_without_rights_needs_none() {
    outsider::open_machine();
    for arguments in [&["demo"][..], &["demo", "--udp"], &["demo", "--", "nc", "-N", "fd69::1", "8080"]] {
        let output = run(&mut outsiders(arguments), b"rootless\n");
        assert_eq!((output.code(), output.stdout().as_str()), (Some(0), "ROOTLESS\n"), "{output}");
        assert_eq!(output.stderr, "");
    }
}

/// The process that serves in a demo.
fn server_of(demo: &Program) -> u32 {
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", demo.id())).unwrap();
    let is_server =
        |id: &u32| fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap().contains("--parent-is-demo");
    children.split_whitespace().map(|id| id.parse().unwrap()).find(is_server).expect("a server")
}

fn the_server_holds_no_privilege() {
    outsider::open_machine();
    for mut command in [shout(&["demo"]), outsiders(&["demo"])] {
        let mut demo = Program::start(&mut command);
        demo.say("hello\n");
        demo.output.wait_for_line(&["HELLO"]);
        assert_powerless(server_of(&demo));
    }
}

fn the_server_ends_with_a_demo_that_is_killed() {
    // The server holds this pipe as long as it lives, as the demo does.
    let (reader, writer) = io::pipe().unwrap();
    let mut demo = Program::start_with_own_errors(shout(&["demo"]).stderr(writer));
    demo.say("hello\n");
    demo.output.wait_for_line(&["HELLO"]);
    demo.signal(Signal::SIGKILL);
    demo.wait();
    let mut descriptors = [PollFd::new(reader.as_fd(), PollFlags::empty())];
    let timeout = PollTimeout::try_from(LIMIT).unwrap();
    assert_eq!(poll(&mut descriptors, timeout).unwrap(), 1, "the server lives on");
}

fn the_server_s_options_are_taken() {
    let directory = std::env::temp_dir().join(format!("shout-demo-{}", std::process::id()));
    fs::create_dir(&directory).unwrap();
    let capture = directory.join("demo.pcap");
    let capture = capture.to_str().unwrap();
    let options =
        ["-4", "--port", "7", "--tun", "other0", "--address", "10.0.0.1/8", "--host-address", "10.0.0.2/8"];
    let arguments = [&["demo", "--pcap", capture][..], &options].concat();
    let output = run(&mut shout(&arguments), b"hello\n");
    assert_eq!((output.code(), output.stdout().as_str()), (Some(0), "HELLO\n"), "{output}");
    assert!(fs::metadata(capture).unwrap().len() > 24, "nothing was captured");
    fs::remove_dir_all(&directory).unwrap();
    let addresses = ["--", "sh", "-c", "ip -o -4 addr show other0; ip -o -6 addr show other0 scope global"];
    let shown = run(&mut shout(&[&["demo"][..], &options, &addresses].concat()), b"").stdout();
    assert!(shown.contains("10.0.0.2/8") && shown.lines().count() == 1, "{shown}");
    let lost = run(&mut shout(&["demo", "--udp", "--drop", "100"]), b"lost\n");
    assert_eq!((lost.code(), lost.stdout().as_str()), (Some(1), ""), "{lost}");
    assert!(lost.stderr.contains("100% lost") && lost.stderr.contains("no reply to \"lost\""), "{lost}");
    // The reply is waited for longer where the server makes it wait.
    let late = run(&mut shout(&["demo", "--udp", "--delay", "2500ms"]), b"late\n");
    assert_eq!((late.code(), late.stdout().as_str()), (Some(0), "LATE\n"), "{late}");
    let refused = run(&mut shout(&["demo", "--address", "10.0.0.1/8"]), b"");
    assert_eq!(refused.code(), Some(2), "{refused}");
}

fn what_passes_goes_to_standard_output() {
    let command = ["demo", "--pcap", "-", "--", "sh", "-c", "nc -N 192.168.69.1 8080 >&2"];
    let output = run(&mut shout(&command), b"hi\n");
    assert_eq!((output.code(), output.stderr.as_str()), (Some(0), "HI\n"), "{output}");
    assert!(records(&output.bytes).iter().any(|record| record.packet.ends_with(b"HI\n")));
}

fn a_shell_is_told_where_the_server_is() {
    outsider::open_machine();
    let mut shell = shout_on_a_terminal("demo -- bash --norc -i");
    let told = "the server is at 192.168.69.1:8080 and [fd69::1]:8080 (TCP and UDP), yours alone";
    shell.output.wait_until("the greeting", |text| text.contains(told));
    shell.say("exit 0\r");
    assert_eq!(shell.wait().code(), Some(0));
    // Whoever is root by right is told nothing of it, and in a user namespace, everybody is.
    assert!(!shell.output.text().contains("root"), "{}", shell.output.text());
    if has_other_users() {
        let mut shell = on_a_terminal(&format!("{:?}", outsiders(&["demo", "--", "bash", "--norc", "-i"])));
        let told =
            format!("{told}; you seem to be root in here, with no more rights on the machine than before");
        shell.output.wait_until("the greeting", |text| text.contains(&told));
        shell.say("exit $(id -u)\r");
        assert_eq!(shell.wait().code(), Some(0));
    }
}

fn the_server_is_called_shout_and_gets_sigusr1() {
    for command in [&["demo", "-v"][..], &["demo", "-v", "--", "cat"]] {
        let mut demo = Program::start(&mut shout(command));
        demo.say("hello\n");
        demo.output.wait_until("an echo", |text| text.to_uppercase().contains("HELLO"));
        let name = fs::read_to_string(format!("/proc/{}/comm", server_of(&demo))).unwrap();
        assert_eq!(name, "shout\n");
        demo.signal(Signal::SIGUSR1);
        demo.errors.wait_for_line(&["rates over"]);
        demo.end_input();
        assert_eq!(demo.wait().code(), Some(0));
    }
}

/// Kills the server of a demo.
fn kill_server(demo: &Program) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(server_of(demo).cast_signed()), Signal::SIGKILL)
        .unwrap();
}

fn the_prompt_ends_with_its_server() {
    for arguments in [&["demo"][..], &["demo", "--udp"]] {
        let mut demo = Program::start(&mut shout(arguments));
        demo.say("hello\n");
        demo.output.wait_for_line(&["HELLO"]);
        kill_server(&demo);
        assert_eq!(demo.wait().code(), Some(1));
        let errors = demo.errors.text();
        assert_eq!(errors, "error: the server of this demo has ended: SIGKILL; start the demo again\n");
    }
}

fn a_command_is_told_that_its_server_has_ended() {
    let mut demo = Program::start(&mut shout(&["demo", "--", "sh", "-c", "cat; exit 5"]));
    demo.say("hello\n");
    demo.output.wait_for_line(&["hello"]);
    kill_server(&demo);
    demo.errors.wait_for_line(&["error: the server of this demo has ended: SIGKILL; what runs here goes on"]);
    demo.say("still here\n");
    demo.output.wait_for_line(&["still here"]);
    demo.end_input();
    assert_eq!(demo.wait().code(), Some(5));
}

/// Checks that a demo is refused in one line that holds each of `parts`.
#[track_caller]
fn assert_refused(command: &mut Command, parts: &[&str]) {
    let output = run(command, b"never sent\n");
    assert_eq!((output.code(), output.stdout().as_str()), (Some(1), ""), "{output}");
    assert_eq!(output.stderr.lines().count(), 1, "{output}");
    for part in parts {
        assert!(output.stderr.contains(part), "{part:?} is missing in: {}", output.stderr);
    }
}

fn where_user_namespaces_are_not_allowed() {
    // The limit is that of the user namespace in which it is set.
    let script = "echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "sh", "-c", script, "sh"]);
    command.args([env!("CARGO_BIN_EXE_shout"), "demo"]).env_remove("RUST_LOG");
    assert_refused(&mut command, &["user namespaces", "sysctl user.max_user_namespaces", "sudo"]);
}

fn where_the_device_file_is_missing_or_closed() {
    own_mounts();
    cover_dev_net();
    assert_refused(&mut shout(&["demo"]), &["/dev/net/tun", "is not there", "modprobe tun"]);
    let no_device = "/dev/net/tun";
    fs::write(no_device, "").unwrap();
    fs::set_permissions(no_device, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
    let mut command = Command::new("setpriv");
    // Without those, what the permissions refuse is refused to root, too.
    command
        .args(["--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"]);
    command.args([env!("CARGO_BIN_EXE_shout"), "demo"]).env_remove("RUST_LOG");
    assert_refused(&mut command, &["/dev/net/tun", "may not be opened", "chmod"]);
}
