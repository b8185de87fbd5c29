//! What help and manual say beyond the options. Each command has a page of it; `--help` shows most of a page, and
//! `deploy/manual.rs` makes the manual pages from all of it.

/// What is said of one command.
#[derive(Debug)]
pub struct Page {
    /// The command word; empty for the program as a whole.
    pub command: &'static str,
    /// The ways to call it.
    pub forms: &'static [&'static str],
    /// Sections, in the order of a manual page.
    pub sections: &'static [Section],
}

/// What is explained, and its explanation.
pub type Entry = (&'static str, &'static str);

/// A section of a page.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// Its title, as in a sentence.
    pub title: &'static str,
    /// What is explained, and its explanation.
    pub entries: &'static [Entry],
    /// Whether `--help` has it too, and not the manual alone.
    pub in_help: bool,
}

impl Page {
    /// How it is called, as help and manual show it: a form a line, below each other.
    pub(super) fn usage(&self) -> String {
        self.forms.join("\n       ")
    }

    /// The part of it that `--help` ends with. clap wraps and indents it.
    pub(super) fn help(&self) -> String {
        let mut text = String::new();
        for Section { title, entries, .. } in self.sections.iter().filter(|section| section.in_help) {
            text += &format!("{title}:\n");
            for (term, explanation) in *entries {
                text += &format!("  {term}\n      {explanation}\n");
            }
            text.push('\n');
        }
        text.trim_end().to_owned()
    }
}

const fn help(title: &'static str, entries: &'static [Entry]) -> Section {
    Section { title, entries, in_help: true }
}

const fn manual(title: &'static str, entries: &'static [Entry]) -> Section {
    Section { title, entries, in_help: false }
}

const END_OF_INPUT: Entry = ("0", "At the end of the input, or when its output is closed.");

const WRONG_USAGE: Entry = ("2", "The command line is wrong.");

const CTRL_C: Entry = ("130", "After Ctrl-C.");

const SERVER_EXIT: Section = help(
    "Exit status",
    &[
        ("0", "After SIGINT, SIGTERM or SIGHUP."),
        ("1", "It could not start, or its device failed or was deleted."),
        WRONG_USAGE,
    ],
);

const SERVER_SIGNALS: Section = help(
    "Signals",
    &[
        (
            "SIGINT, SIGTERM, SIGHUP",
            "Quit: every connection echoes what it has received and is closed, within a second at most. A second signal quits at once.",
        ),
        ("SIGUSR1", "Log the counters."),
    ],
);

const SERVER_ENVIRONMENT: Section = help(
    "Environment",
    &[
        ("RUST_LOG", "The log level: error, warn, info, debug or trace. It takes precedence over -v and -q."),
        (
            "NOTIFY_SOCKET",
            "The socket of a service manager, which is told when the server is ready: sd_notify(3).",
        ),
    ],
);

const SERVER_FILES: Section = manual(
    "Files",
    &[
        ("/dev/net/tun", "The TUN driver."),
        ("/etc/default/shout", "The options of the service that the package installs."),
        ("/etc/shout/public.nft", "The firewall rules of shout-public@.service."),
    ],
);

const CLIENT_SIGNALS: Section = help(
    "Signals",
    &[("SIGUSR1", "Ignored, so that `pkill -USR1 shout`, which is meant for servers, does no harm.")],
);

const CLIENT_ENVIRONMENT: Section =
    help("Environment", &[("TERM", "With dumb, cons25 or emacs the prompt has no line editing.")]);

/// The program as a whole, whose default command is `serve`.
pub const SHOUT: Page = Page {
    command: "",
    forms: &[
        "shout [serve] [OPTIONS]",
        "shout tcp [OPTIONS] HOST:PORT",
        "shout udp [OPTIONS] HOST:PORT",
        "shout demo [OPTIONS] [-- COMMAND...]",
    ],
    sections: &[
        help(
            "Examples",
            &[
                ("shout demo", "Try it: without root, and without changes to the machine."),
                ("sudo shout", "Serve at 192.168.69.1 and fd69::1, port 8080, TCP and UDP."),
                ("nc 192.168.69.1 8080", "Talk to it from another terminal."),
                ("shout tcp 192.168.69.1:8080", "The same with a prompt, line editing and history."),
            ],
        ),
        SERVER_EXIT,
        SERVER_SIGNALS,
        SERVER_ENVIRONMENT,
        SERVER_FILES,
        manual(
            "See also",
            &[(
                "shout-serve(1), shout-tcp(1), shout-udp(1), shout-demo(1), nc(1), tcpdump(1), ip-tuntap(8), capabilities(7)",
                "",
            )],
        ),
    ],
};

/// The commands, in the order of the help.
pub const COMMANDS: [Page; 4] = [
    Page {
        command: "serve",
        forms: &["shout [serve] [OPTIONS]"],
        sections: &[
            help(
                "Examples",
                &[
                    ("sudo shout serve", "Serve at 192.168.69.1 and fd69::1, port 8080, TCP and UDP."),
                    (
                        "sudo shout serve --address 10.0.0.1/24 --host-address 10.0.0.2/24 -4",
                        "Serve at another address, over IPv4 only.",
                    ),
                    ("sudo shout serve --pcap - | wireshark -k -i -", "Watch packets as they pass."),
                    (
                        "shout serve --drop 0.5 --delay 250ms --no-configure",
                        "Test clients on a bad network, on a device that is set up already.",
                    ),
                ],
            ),
            SERVER_EXIT,
            SERVER_SIGNALS,
            SERVER_ENVIRONMENT,
            SERVER_FILES,
            manual(
                "See also",
                &[(
                    "shout(1), shout-demo(1), ip-tuntap(8), capabilities(7), systemd.service(5), tcpdump(1)",
                    "",
                )],
            ),
        ],
    },
    Page {
        command: "tcp",
        forms: &["shout tcp [--timeout D] [--raw] HOST:PORT", "shout tcp [--timeout D] [--raw] HOST PORT"],
        sections: &[
            help(
                "Examples",
                &[
                    ("shout tcp 192.168.69.1:8080", "A prompt. Press Ctrl-D to quit."),
                    ("shout tcp '[fd69::1]:8080' < lines.txt", "Send the lines of a file, over IPv6."),
                    (
                        "printf 'no newline' | shout tcp --raw localhost 7",
                        "Send bytes as they are, and show what comes.",
                    ),
                ],
            ),
            help(
                "Exit status",
                &[
                    END_OF_INPUT,
                    ("1", "The server could not be reached, closed the connection, or did not reply."),
                    WRONG_USAGE,
                    CTRL_C,
                ],
            ),
            CLIENT_SIGNALS,
            CLIENT_ENVIRONMENT,
            manual("See also", &[("shout(1), shout-udp(1), nc(1), tcp(7)", "")]),
        ],
    },
    Page {
        command: "udp",
        forms: &["shout udp [--timeout D] [--raw] HOST:PORT", "shout udp [--timeout D] [--raw] HOST PORT"],
        sections: &[
            help(
                "Examples",
                &[
                    ("shout udp 192.168.69.1:8080", "A prompt. Press Ctrl-D to quit."),
                    (
                        "seq 5 | shout udp --timeout 200ms 192.168.69.1:8080",
                        "See which of five datagrams are answered.",
                    ),
                ],
            ),
            help(
                "Exit status",
                &[
                    END_OF_INPUT,
                    (
                        "1",
                        "The name has no address; or, if the input is no terminal, a line got no reply, could not be sent or was refused.",
                    ),
                    WRONG_USAGE,
                    CTRL_C,
                ],
            ),
            CLIENT_SIGNALS,
            CLIENT_ENVIRONMENT,
            manual("See also", &[("shout(1), shout-tcp(1), nc(1), udp(7)", "")]),
        ],
    },
    Page {
        command: "demo",
        forms: &["shout demo [--udp] [OPTIONS]", "shout demo [OPTIONS] -- COMMAND..."],
        sections: &[
            help(
                "Examples",
                &[
                    ("shout demo", "A prompt. Type a line; press Ctrl-D to quit."),
                    (
                        "echo hello | shout demo -- nc -N 192.168.69.1 8080",
                        "Any program can talk to the server.",
                    ),
                    ("shout demo -- bash", "A shell, with the server at 192.168.69.1 and fd69::1."),
                    ("seq 9 | shout demo --udp --drop 20", "UDP on a network that loses one packet in five."),
                    ("shout demo --pcap shout.pcap -- nc 192.168.69.1 8080", "Record all packets."),
                ],
            ),
            help(
                "Exit status",
                &[
                    ("0 to 255", "That of COMMAND, or 128 and the signal that ended it."),
                    ("126, 127", "COMMAND cannot be run, or does not exist."),
                    ("0, 1, 130", "With the prompt, those of shout tcp and shout udp."),
                    ("1", "The server could not start, or ended before the prompt did."),
                    WRONG_USAGE,
                ],
            ),
            help(
                "Signals",
                &[
                    ("SIGUSR1", "Passed on to the server, which logs its counters (with -v)."),
                    ("SIGHUP, SIGINT, SIGQUIT, SIGTERM", "Passed on to COMMAND; they end the prompt."),
                ],
            ),
            help(
                "Environment",
                &[(
                    "RUST_LOG",
                    "The server's log level: error, warn, info, debug or trace. It takes precedence over -v and -q.",
                )],
            ),
            manual("Files", &[("/dev/net/tun", "The TUN driver, open to every user on most machines.")]),
            manual(
                "See also",
                &[("shout(1), shout-serve(1), user_namespaces(7), network_namespaces(7)", "")],
            ),
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_has_the_sections_of_a_manual() {
        for page in COMMANDS.iter().chain([&SHOUT]) {
            let titles: Vec<&str> = page.sections.iter().map(|section| section.title).collect();
            for title in ["Examples", "Exit status", "Signals", "Environment", "See also"] {
                assert!(titles.contains(&title), "{:?}: {titles:?}", page.command);
            }
        }
    }
}
