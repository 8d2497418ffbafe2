//! How fast netcase is, and how large: `cargo bench`.
//!
//! Prints one table: what was measured, the median of several runs, the target, and whether it is met. Everything is a
//! whole process, from its start to its end, so starting, reading the case and writing the report are in it. Where one
//! figure is held against another (the floor, one silence, no service) the two take turns, so that whatever else the
//! machine does slows both; the ratio is that of the medians.
//!
//! The floor is the same network made by the fewest netlink messages the kernel takes, back to back, in a process that
//! parses, checks, probes and reports nothing (`floor.rs`): what netcase costs beyond it is netcase's own.
//!
//! Absolute times mean something on an idle machine only; `uptime` tells. Nothing here is a test: a target that is
//! missed is told and ends with exit status 0, as a busy machine misses it too. Only what could not be measured, because
//! a run failed, ends with 1.
//!
//! Namespaces die slowly, and while they do, new ones are made slowly: so there is a pause between runs.

mod cases;
mod floor;
mod measure;
mod memory;
mod service;

use std::process::ExitCode;
use std::time::Duration;

use cases::Folder;
use measure::{Measured, alternate, median, repeat};

/// One line of the table.
struct Row {
    what: &'static str,
    target: String,
    measured: String,
    met: bool,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("floor"), Some(hosts)) => floor::main(hosts.parse().unwrap_or(0)),
        (Some("serve"), Some(port)) => service::main(port.parse().unwrap_or(0)),
        // What cargo passes along is of no interest.
        _ => match rows() {
            Ok(rows) => {
                print(&rows);
                ExitCode::SUCCESS
            }
            Err(broken) => {
                eprintln!("broken: {broken}");
                ExitCode::FAILURE
            }
        },
    }
}

fn rows() -> Measured<Vec<Row>> {
    let folder = Folder::make().map_err(|error| format!("no place for the cases: {error}"))?;
    let mut rows = floor_rows(&folder)?;
    rows.push(small(&folder)?);
    rows.push(nat(&folder)?);
    rows.push(hundred_small(&folder)?);
    rows.push(silences(&folder)?);
    rows.push(all_pairs(&folder, "all-pairs ping of 30 hosts (870)", 30, 150, 7)?);
    rows.push(all_pairs(&folder, "all-pairs ping of 100 hosts (9900)", 100, 2000, 5)?);
    rows.push(explained(&folder)?);
    rows.push(green(&folder)?);
    rows.push(service_row(&folder)?);
    rows.push(at_most("all of cases/", median(repeat(3, measure::suite)?), 6000));
    rows.extend(memory_rows(&folder)?);
    Ok(rows)
}

fn floor_rows(folder: &Folder) -> Measured<Vec<Row>> {
    let case = folder.write("bridge-100", &cases::bridge(100, "h1", "h100"))?;
    let (netcase, floor) = alternate(9, || measure::netcase(&case, 1), || measure::itself(&["floor", "100"]))?;
    let ratio = netcase.as_secs_f64() / floor.as_secs_f64();
    Ok(vec![
        Row {
            what: "the floor: 100 hosts on one bridge",
            target: String::new(),
            measured: milliseconds(floor),
            met: true,
        },
        Row {
            what: "100 hosts on one bridge, one ping",
            target: "2.00 x the floor".to_owned(),
            measured: format!("{} = {ratio:.2} x", milliseconds(netcase)),
            met: ratio <= 2.0,
        },
    ])
}

fn small(folder: &Folder) -> Measured<Row> {
    let case = folder.write("small", cases::ROUTER)?;
    let time = median(repeat(21, || measure::netcase(&case, 3))?);
    Ok(at_most("a router and 2 hosts, 3 pings", time, 15))
}

/// Beside the floor of as many machines on one bridge.
fn nat(folder: &Folder) -> Measured<Row> {
    let case = folder.write("nat", cases::NAT)?;
    let (netcase, floor) = alternate(21, || measure::netcase(&case, 5), || measure::itself(&["floor", "3"]))?;
    let ratio = netcase.as_secs_f64() / floor.as_secs_f64();
    let row = at_most("NAT: 4 nodes, 5 expectations", netcase, 25);
    Ok(Row { measured: format!("{} = {ratio:.2} x", row.measured), ..row })
}

fn hundred_small(folder: &Folder) -> Measured<Row> {
    for number in 0..100 {
        folder.write(&format!("hundred/{number}"), cases::ROUTER)?;
    }
    let place = folder.path("hundred");
    let time = median(repeat(5, || measure::netcase(&place, 300))?);
    Ok(at_most("100 such cases", time, 1500))
}

fn silences(folder: &Folder) -> Measured<Row> {
    let one = folder.write("silent-1", &cases::silent(1))?;
    let many = folder.write("silent-20", &cases::silent(20))?;
    let (many, one) = alternate(3, || measure::netcase(&many, 20), || measure::netcase(&one, 1))?;
    let ratio = many.as_secs_f64() / one.as_secs_f64();
    Ok(Row {
        what: "20 silent negatives in a case",
        target: "1.20 x one".to_owned(),
        measured: format!("{} = {ratio:.2} x", milliseconds(many)),
        met: ratio <= 1.2,
    })
}

fn all_pairs(folder: &Folder, what: &'static str, hosts: usize, target: u64, runs: usize) -> Measured<Row> {
    let case = folder.write(&format!("pairs-{hosts}"), &cases::all_pairs(hosts))?;
    let time = median(repeat(runs, || measure::netcase(&case, hosts * (hosts - 1)))?);
    Ok(at_most(what, time, target))
}

/// What explaining takes beyond the window of the second probe, which is as long as that of the first.
fn explained(folder: &Folder) -> Measured<Row> {
    const WINDOW: Duration = Duration::from_secs(1);
    let case = folder.write("broken", cases::BROKEN)?;
    let never = ["--capture", "never", "--bundle", "never"];
    let run = |options: &[&str]| measure::failing(&case, options, 1);
    let (with, without) = alternate(11, || run(&[]), || run(&never))?;
    let more = with.saturating_sub(without).saturating_sub(WINDOW);
    let ratio = with.as_secs_f64() / without.as_secs_f64();
    Ok(Row {
        what: "one failure explained, 4 nodes",
        target: "300 ms more".to_owned(),
        measured: format!("{} more, {ratio:.2} x", milliseconds(more)),
        met: more <= Duration::from_millis(300),
    })
}

/// What is ready to be explained costs nothing where all is well.
fn green(folder: &Folder) -> Measured<Row> {
    let case = folder.write("green", cases::NAT)?;
    let run = |options: &[&str]| measure::passing(&case, options, 5);
    let (with, without) = alternate(41, || run(&[]), || run(&["--capture", "never", "--bundle", "never"]))?;
    let ratio = with.as_secs_f64() / without.as_secs_f64();
    Ok(Row {
        what: "a green case, beside `--capture never`",
        target: "1.02 x".to_owned(),
        measured: format!("{} = {ratio:.3} x", milliseconds(with)),
        met: ratio <= 1.02,
    })
}

fn service_row(folder: &Folder) -> Measured<Row> {
    let program = folder.own_program()?;
    let with = folder.write("service", &cases::pair(&cases::program(&program)))?;
    let without = folder.write("no-service", &cases::pair(""))?;
    let (with, without) = alternate(11, || measure::netcase(&with, 1), || measure::netcase(&without, 1))?;
    let more = with.saturating_sub(without);
    Ok(Row {
        what: "a service that is ready after 5 ms",
        target: "20 ms more than none".to_owned(),
        measured: format!("{} more", milliseconds(more)),
        met: more <= Duration::from_millis(20),
    })
}

fn memory_rows(folder: &Folder) -> Measured<Vec<Row>> {
    let pairs = folder.write("memory-pairs", &cases::all_pairs(100))?;
    let hosts = folder.write("memory-bridge", &cases::bridge(100, "h1", "h100"))?;
    let many = memory::peaks(&pairs)?;
    let few = memory::peaks(&hosts)?;
    let row = |what, kilobytes: u64| Row {
        what,
        target: "40 MB".to_owned(),
        measured: format!("{}.{} MB", kilobytes / 1024, kilobytes % 1024 * 10 / 1024),
        met: kilobytes <= 40 * 1024,
    };
    Ok(vec![
        row("peak memory of the runner, 100 nodes", few.runner),
        row("peak memory of a worker, 100 nodes", few.worker),
        row("peak memory of the runner, 9900 pings", many.runner),
        row("peak memory of a worker, 9900 pings", many.worker),
    ])
}

fn at_most(what: &'static str, time: Duration, target: u64) -> Row {
    Row {
        what,
        target: format!("{target} ms"),
        measured: milliseconds(time),
        met: time <= Duration::from_millis(target),
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

fn print(rows: &[Row]) {
    let line = |what: &str, measured: &str, target: &str, met: &str| {
        println!("{what:<38} {measured:>20}   {target:<20} {met}");
    };
    line("whole process, median", "measured", "at most", "");
    for row in rows {
        let met = match (row.target.is_empty(), row.met) {
            (true, _) => "",
            (false, true) => "met",
            (false, false) => "NOT MET",
        };
        line(row.what, &row.measured, &row.target, met);
    }
}
