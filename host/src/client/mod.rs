//! The interactive clients: a prompt, a line, its reply.
//!
//! | module | is |
//! |---|---|
//! | `tcp` | the conversation over a connection |
//! | `connect` | the connection, or why there is none |
//! | `udp` | the conversation in datagrams, late replies told apart |
//! | `target` | `HOST:PORT` and its addresses |
//! | `input` | lines from a pipe or a terminal |
//! | `pipe` | lines from a pipe or a file |
//! | `terminal` | the line editor, on a thread of its own |
//! | `line` | what is a line, and how it is trimmed |
//! | `output` | replies to standard output, notes and errors to standard error |
//! | `wait` | `poll(2)` on the input and the sockets at once |
//! | `session` | the beginning and the end of either client |
//! | `ended` | how a conversation ends |
//!
//! A client ends with 0 at the end of its input, with 1 when the conversation cannot go on, with 2 for a target that is not
//! `HOST:PORT`, and with 130 on Ctrl-C: at the prompt the editor reads it as a key, elsewhere it is SIGINT, and a shell shows
//! 130 for both. The UDP client, which goes on without a reply, ends with 1 all the same if its input is no terminal: a script
//! wants to know. A client ends with 0 and without a word when nobody reads its output any more (`shout tcp ... | head -1`).

mod connect;
mod ended;
mod input;
mod line;
mod output;
mod pipe;
mod session;
mod target;
pub(crate) mod tcp;
mod terminal;
pub(crate) mod udp;
mod wait;

pub(crate) use wait::Background;
