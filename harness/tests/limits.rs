//! Evidence is bounded, says so where it was cut, and takes no run into an error: in large labs, in floods, in loops, and
//! whatever programs of a case print. What is said of a failure there is not wrong.

#[path = "limits/labs.rs"]
mod labs;
#[path = "limits/left.rs"]
mod left;
#[path = "support/program.rs"]
mod program;
#[path = "support/reachable.rs"]
mod reachable;
#[expect(dead_code, reason = "nobody's namespaces are counted here")]
#[path = "support/scratch.rs"]
mod scratch;
#[expect(dead_code, reason = "the cases of the tree are not run here")]
#[path = "support/staging.rs"]
mod staging;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Mutex, PoisonError};

use left::Left;
use program::Folder;
use scratch::User;

/// One at a time: a flood takes all processors.
static ALONE: Mutex<()> = Mutex::new(());

/// Does this as root and as an ordinary user.
fn as_both(test: &str, look: fn()) {
    if scratch::is_inside() {
        return look();
    }
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for user in [User::Root, User::Ordinary] {
        scratch::run_inside(test, user, &[]);
    }
}

#[test]
fn a_hundred_nodes_one_behind_the_other() {
    as_both("a_hundred_nodes_one_behind_the_other", || {
        let folder = Folder::new("limits-chain");
        let left = Left::by(&folder, &labs::chain(100), &[]);
        let (kinds, cut) = left.said_of("ping n0 -> 10.0.98.2");
        assert_eq!((kinds, cut), (vec!["forwarding-off"], vec![]), "{}", left.text);
        // The middle of so long a way is counted, and its end is there.
        assert!(
            left.text.contains("n8.left -> (") && left.text.contains(" -> n50.left, dropped in n50"),
            "{}",
            left.text
        );
    });
}

#[test]
fn a_hundred_nodes_around_one() {
    as_both("a_hundred_nodes_around_one", || {
        let folder = Folder::new("limits-star");
        let left = Left::by(&folder, &labs::star(100), &[]);
        assert_eq!(left.explained(), 12, "{}", left.text);
        assert_eq!(left.said_of("ping h0 -> h98"), (vec!["rule-dropped"], vec![]), "{}", left.text);
        assert_eq!(left.said_of("tcp h0 -> h1:80"), (vec!["nobody-listens"], vec![]), "{}", left.text);
        // Whoever reads of a failure without a cause must not think that there is none.
        let said = "= note: not probed once more to explain it: of the 21 failures of this step 12 are";
        assert_eq!(left.text.matches(said).count(), 21 - 12, "{}", left.text);
    });
}

/// A flood of another protocol hides nothing; one of the same may, and then it is said.
#[test]
fn a_flood_beside_the_probe() {
    as_both("a_flood_beside_the_probe", || {
        let folder = Folder::new("limits-flood");
        fs::write(folder.0.join("flood.py"), labs::FLOOD_PY).expect("a file can be written");
        fs::write(folder.0.join("sink.py"), labs::SINK_PY).expect("a file can be written");
        let left = Left::by(&folder, &labs::FLOOD.replace("SINK", labs::SINK), &[]);
        for (expectation, cause) in [("ping a -> b", "rule-dropped"), ("tcp a -> b:9", "nobody-listens")] {
            let (kinds, cut) = left.said_of(expectation);
            let whole =
                cut.contains(&"a: in this flood only what may be a packet of the probe was captured throughout");
            // A machine that is too busy to look misses something all the same, and says so.
            let missed = kinds.is_empty() && left.text.contains("and without them no cause is certain");
            assert!((whole && kinds == [cause]) || missed, "{expectation}: {kinds:?} {}", left.text);
        }
        let (kinds, cut) = left.said_of("udp a -> b:9");
        // Nobody would listen there, either.
        let right = [&[][..], &["rule-dropped"], &["rule-dropped", "nobody-listens"]].contains(&&*kinds);
        assert!(right, "{}", left.text);
        assert!(!cut.is_empty() && !left.text.contains("did not send it"), "{}", left.text);
    });
}

/// Where the flood is refused, there is one of errors, too, and rules see all of them.
#[test]
fn a_flood_of_refusals() {
    as_both("a_flood_of_refusals", || {
        let folder = Folder::new("limits-refused");
        fs::write(folder.0.join("flood.py"), labs::FLOOD_PY).expect("a file can be written");
        let left = Left::by(&folder, &labs::FLOOD.replace("SINK", ""), &[]);
        for expectation in ["ping a -> b", "udp a -> b:9"] {
            let (kinds, cut) = left.said_of(expectation);
            let right = [&[][..], &["rule-dropped"], &["rule-dropped", "nobody-listens"]].contains(&&*kinds);
            assert!(right, "{}", left.text);
            assert!(!cut.is_empty(), "{}", left.text);
        }
        // A rule whose steps were lost is not ruled out.
        assert!(!left.text.contains("a missing route, a rule"), "{}", left.text);
    });
}

#[test]
fn a_loop_of_bridges() {
    as_both("a_loop_of_bridges", || {
        let folder = Folder::new("limits-loop");
        let left = Left::by(&folder, labs::LOOP, &[]);
        let (kinds, cut) = left.said_of("ping hosta -> 10.1.0.9");
        assert!(kinds.is_empty() && !cut.is_empty(), "{kinds:?} {}", left.text);
        assert!(left.text.contains("hostb were captured, and without them no cause is certain"), "{}", left.text);
        // The second may come too late for a machine that does nothing but the flood.
        let late = left.text.matches("not probed once more to explain it").count();
        // Who is there may be reached all the same.
        let held = usize::from(left.text.contains("1 case: 1 passed, 1 failed"));
        assert_eq!(left.explained() + late + held, 2, "{}", left.text);
        assert!(
            !left.text.contains("did not send it") && left.text.contains("close a loop of bridges"),
            "{}",
            left.text
        );
    });
}

#[test]
fn programs_that_print_anything_without_end() {
    as_both("programs_that_print_anything_without_end", || {
        let folder = Folder::new("limits-noise");
        fs::write(folder.0.join("every-byte"), labs::every_byte()).expect("a file can be written");
        let script = folder.0.join("setup.sh");
        fs::write(&script, "#!/bin/sh\ncat every-byte\nyes ']]>' | head -c 200000\n").expect("a file can be written");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("the file is the test's own");
        let left = Left::by(&folder, labs::NOISE, &["-v"]);
        let output = folder.0.join("reports/case/output");
        for service in ["binary", "line", "ends"] {
            let text = fs::read_to_string(output.join(format!("service-{service}-b.txt"))).expect("what it printed");
            assert!(!text.is_empty() && text.len() < 400_000, "{service}: {}", text.len());
        }
        let ended = fs::read_to_string(output.join("service-ends-b.txt")).expect("what it printed");
        assert!(ended.contains("␛[2J") && ended.contains("]]>") && ended.contains("exit status: 3"), "{ended}");
        assert!(left.text.contains("setup.sh in b printed"), "{}", left.text);
    });
}
