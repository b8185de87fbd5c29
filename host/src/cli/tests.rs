//! What the command line takes, and what it refuses.

use super::*;
use crate::serve::service::Service;

fn read(line: &str) -> Result<Invocation, String> {
    let arguments: Vec<OsString> =
        ["shout"].into_iter().chain(line.split_whitespace()).map(OsString::from).collect();
    super::read(&arguments).map_err(|error| mistakes::complaint(&error, &arguments))
}

#[track_caller]
fn served(line: &str) -> ServeOptions {
    match read(line).unwrap().command {
        Command::Serve(options) => *options,
        other => panic!("{line}: {other:?}"),
    }
}

#[track_caller]
fn refused(line: &str) -> String {
    let message = read(line).unwrap_err();
    let (sentence, tips) = message.split_once('\n').unwrap();
    assert!(sentence.starts_with("error: "), "{message}");
    assert!(tips.lines().all(|line| line.starts_with("  tip: ")), "{message}");
    message
}

#[test]
fn the_declaration_is_consistent() {
    definition().debug_assert();
}

#[test]
fn serve_is_the_default_command() {
    assert_eq!(served(""), served("serve"));
    assert_eq!(served("--port 9000"), served("serve --port 9000"));
}

#[test]
fn the_defaults_are_those_of_the_manual() {
    let options = served("");
    assert_eq!(options.tun, "shout0");
    assert_eq!(options.port, 8080);
    assert_eq!(options.mtu, 1500);
    assert_eq!(options.connections, 1024);
    assert_eq!(options.buffer, 1024);
    assert_eq!(options.service, Service::Upper);
    assert_eq!(options.idle_timeout, None);
    assert_eq!(options.delay, None);
    assert_eq!(options.busy_poll, Duration::ZERO);
    assert!(options.configure);
}

#[test]
fn every_option_is_read() {
    let options = served(
        "serve --tun t0 --address 10.1.0.1/16 --host-address 10.1.0.2/16 --port 1 --mtu 65535 --connections 65535 \
         --buffer 1048576 --service chargen --idle-timeout 10s --delay 250ms --busy-poll 50us \
         --no-configure --per-source 64",
    );
    assert_eq!(options.per_source.map(core::num::NonZeroU16::get), Some(64));
    assert_eq!(options.tun, "t0");
    assert_eq!((options.port, options.mtu), (1, 65535));
    assert_eq!((options.connections, options.buffer), (65535, 1_048_576));
    assert_eq!(options.service, Service::Chargen);
    assert_eq!(options.idle_timeout, Some(Duration::from_secs(10)));
    assert_eq!(options.delay, Some(Duration::from_millis(250)));
    assert_eq!(options.busy_poll, Duration::from_micros(50));
    assert!(!options.configure);
}

#[test]
fn a_tap_device_can_have_a_hardware_address() {
    assert_eq!((served("").tap, served("--tap").tap, served("--tap").mac), (false, true, None));
    let mac = served("--tap --mac 02:00:00:00:00:0A").mac.unwrap();
    assert_eq!(mac.0, [2, 0, 0, 0, 0, 10]);
    assert!(refused("--mac 02:00:00:00:00:0a").contains("--tap"));
    for wrong in ["01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "02:00:00:00:00", "here"] {
        assert!(refused(&format!("--tap --mac {wrong}")).contains("02:00:00:00:00:01"), "{wrong}");
    }
}

#[test]
fn numbers_out_of_range_are_refused() {
    for line in [
        "--port 0",
        "--port 65536",
        "--mtu 10",
        "--mtu 575",
        "--mtu 65536",
        "--connections 0",
        "--connections 65536",
        "--buffer 0",
        "--buffer 63",
        "--buffer 1048577",
        "--per-source 0",
        "--per-source 65536",
        "--drop 101",
        "--corrupt 101",
        "--size-limit 0",
        "--size-limit 65536",
        "--rate-limit 0",
        "--seed 18446744073709551616",
    ] {
        let option = line.split(' ').next().unwrap();
        assert!(refused(line).contains(option), "{line}");
    }
}

#[test]
fn malformed_values_are_refused() {
    for line in [
        "--address 192.168.69.1",
        "--address 192.168.69.1/33",
        "--address 192.168.69/24",
        "--host-address fd69::1/129",
        "--tun sixteencharacter",
        "--service daytime",
        "--tun a/b",
        "--tun ..",
        "--tun tun%d",
        "--idle-timeout 10",
        "--idle-timeout 0",
        "--idle-timeout 1ns",
        "--delay soon",
        "--delay 366d",
        "--stats 0",
        "--drop -1",
        "--drop 100.5",
        "-4 --address fd00::1/64 --host-address fd00::2/64",
        "demo --port 0",
        "demo --pcap -",
        "demo --no-configure",
        "--corrupt 5%",
        "--shaping-interval 1s",
        "--rate-limit 1 --shaping-interval 0",
        "--rate-limit 1 --seed 1",
        "--pcap",
        "demo bash",
        "demo --tcp",
        "--drop 1 demo",
        "--port 80 --port 81",
        "--frobnicate",
        "listen",
        "tcp",
        "udp",
        "tcp --timeout 0 a:1",
        "tcp a 1 2",
        "-q -v",
    ] {
        refused(line);
    }
}

#[test]
fn a_zero_delay_or_busy_poll_is_none() {
    assert_eq!(served("--delay 0 --busy-poll 0"), served(""));
    assert_eq!(served("--drop 0 --corrupt 0 --seed 7").faults.asked(), None);
}

#[test]
fn options_of_serve_before_another_command_are_refused() {
    assert!(refused("--port 80 tcp a:1").contains("`serve`"));
    assert!(refused("--no-configure serve").contains("`serve`"));
}

#[test]
fn verbosity_goes_before_and_after_the_command() {
    assert_eq!(read("").unwrap().level, LevelFilter::Info);
    assert_eq!(read("-q").unwrap().level, LevelFilter::Error);
    assert_eq!(read("-v serve").unwrap().level, LevelFilter::Debug);
    assert_eq!(read("tcp a:1 -vv").unwrap().level, LevelFilter::Trace);
}

#[test]
fn a_demo_leaves_the_terminal_to_the_client() {
    for (line, level) in [
        ("demo", LevelFilter::Warn),
        // As without a demo.
        ("-v demo", LevelFilter::Debug),
        ("demo -vv", LevelFilter::Trace),
        ("demo -q", LevelFilter::Error),
        ("demo -- program -v", LevelFilter::Warn),
    ] {
        assert_eq!(read(line).unwrap().level, level, "{line}");
    }
}

#[track_caller]
fn demo(line: &str) -> DemoOptions {
    match read(line).unwrap().command {
        Command::Demo(options) => options,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn a_demo_takes_a_protocol_or_a_command() {
    assert_eq!(demo("demo").client, DemoClient::Tcp);
    assert_eq!(demo("demo --udp").client, DemoClient::Udp);
    let program = DemoClient::Program("nc".into(), vec!["-u".into(), "--".into(), "a".into()]);
    assert_eq!(demo("demo -- nc -u -- a").client, program);
}

#[test]
fn a_demo_takes_the_servers_options_and_passes_them_on() {
    let line = "demo --udp -4 --service echo --port 81 --drop 0.5 --no-sandbox --address 10.0.0.1/8 --address 10.0.0.2/8 \
                --host-address=10.0.0.3/8 --pcap -p -v -- nc --port 2";
    assert!(read(&line.replace("--pcap -p", "--pcap")).is_err());
    let options = demo(&line.replace("--pcap -p", "--pcap=-p"));
    assert_eq!(options.serve.port, 81);
    let again = format!("serve {}", options.words.join(" ".as_ref()).to_str().unwrap());
    assert_eq!(served(&again), *options.serve);
    assert!(demo("demo -v").words.is_empty());
}

#[test]
fn only_the_demo_itself_starts_a_server_as_its_own() {
    assert!(served(&format!("serve --{PARENT_IS_DEMO}")).parent_is_demo);
    assert!(!served("serve").parent_is_demo);
    refused(&format!("--{PARENT_IS_DEMO}"));
    refused(&format!("demo --{PARENT_IS_DEMO}"));
}

#[test]
fn no_help_shows_the_option_of_the_demo() {
    for line in ["shout serve --help", "shout serve -h", "shout help serve", "shout --help"] {
        let arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let help = super::read(&arguments).unwrap_err().render().to_string();
        assert!(help.contains("--connections") && !help.contains(PARENT_IS_DEMO), "{line}: {help}");
    }
}

#[test]
fn the_clients_take_a_target() {
    let options = |line: &str| match read(line).unwrap().command {
        Command::Tcp(options) | Command::Udp(options) => options,
        other => panic!("{line}: {other:?}"),
    };
    let plain = |target: &[&str], seconds| ClientOptions {
        target: target.iter().map(|&word| word.to_owned()).collect(),
        timeout: Duration::from_secs(seconds),
        raw: false,
    };
    assert_eq!(options("tcp [fd69::1]:8080"), plain(&["[fd69::1]:8080"], 10));
    assert_eq!(options("udp a 1"), plain(&["a", "1"], 2));
    let timeout = Duration::from_millis(250);
    assert_eq!(options("udp --timeout 250ms a:1"), ClientOptions { timeout, ..plain(&["a:1"], 2) });
    assert_eq!(options("tcp a:1 --raw"), ClientOptions { raw: true, ..plain(&["a:1"], 10) });
}
