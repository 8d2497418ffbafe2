//! The report in full, and against the rules of those who read it.

use super::*;
use crate::report::samples::{self, bad_input, broken, failed, passed, skipped, unreadable};
use quick_xml::Reader;
use quick_xml::events::Event as Xml;

fn cases() -> Vec<CaseReport> {
    vec![failed(), passed(), broken(), skipped(), bad_input(), unreadable()]
}

/// Names and texts that are hostile to XML, to line readers, and to uniqueness.
fn hostile() -> CaseReport {
    let mut report = failed();
    report.name = "cases/<&\"'>".into();
    let finding = Finding::new("one\u{1b}[31m\ntwo ]]> \u{0}three").note("\u{8}below\u{fffe}");
    report.tests = vec![
        TestReport::unprobed("same\u{1}name", None, Status::Fail(finding)),
        TestReport::unprobed("same\nname", None, Status::Pass),
        TestReport::unprobed("same name", None, Status::Skip("because\r\nof it".into())),
    ];
    report
}

fn text(cases: &[CaseReport]) -> String {
    xml(cases.iter(), Duration::from_millis(840)).expect("memory can be written to")
}

#[test]
fn the_whole_report() {
    let text = text(&cases());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/report/junit/expected.xml");
    if std::env::var_os("NETCASE_UPDATE").is_some_and(|value| value == "1") {
        fs::write(path, &text).expect("the tree can be written to");
    }
    assert_eq!(text, fs::read_to_string(path).expect("the recorded file is there"), "{path}");
}

/// An element with its attributes, its own text and its children.
#[derive(Debug, Default)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Element>,
}

impl Element {
    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| &**value)
    }

    fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    fn walk<'a>(&'a self, path: &str, visit: &mut dyn FnMut(&str, &'a Element)) {
        let path = format!("{path}/{}", self.name);
        visit(&path, self);
        self.children.iter().for_each(|child| child.walk(&path, visit));
    }
}

fn parse(text: &str) -> Element {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().expect("the report is well-formed") {
            Xml::Start(tag) => {
                let attributes = tag.attributes().map(|attribute| {
                    let attribute = attribute.expect("attributes are well-formed");
                    let value =
                        quick_xml::escape::unescape(&attribute.value).expect("only known entities").into_owned();
                    (attribute.key.as_ref().to_owned(), value)
                });
                let name = tag.name().as_ref().to_owned();
                open.push(Element { name, attributes: attributes.collect(), ..Element::default() });
            }
            Xml::End(_) => {
                let done = open.pop().expect("the reader checks that tags match");
                open.last_mut().expect("the root stays").children.push(done);
            }
            Xml::Text(part) => open.last_mut().expect("the root stays").text.push_str(&part),
            Xml::GeneralRef(name) => {
                let name = format!("&{};", &*name);
                let text = quick_xml::escape::unescape(&name).expect("only known entities").into_owned();
                open.last_mut().expect("the root stays").text.push_str(&text);
            }
            Xml::Eof => break,
            _ => {}
        }
    }
    open.pop().and_then(|mut document| document.children.pop()).expect("there is a root element")
}

/// What is allowed where. Elements and attributes of `junit-10.xsd` (the xunit plugin of Jenkins), and what we add
/// knowingly: `skipped` on the root, `file`, `line` and properties on a test case, which only that plugin refuses.
const ALLOWED: &[(&str, &[&str], &[&str])] = &[
    ("testsuites", &["name", "tests", "failures", "errors", "time", "skipped"], &["testsuite"]),
    ("testsuite", &["name", "tests", "failures", "errors", "skipped", "time"], &["testcase"]),
    ("testcase", &["name", "classname", "time", "file", "line"], &["properties", "failure", "error", "skipped"]),
    ("properties", &[], &["property"]),
    ("property", &["name", "value"], &[]),
    ("failure", &["message", "type"], &[]),
    ("error", &["message", "type"], &[]),
    ("skipped", &["message"], &[]),
];

/// One rule: who reads it so, and what breaks it.
type Rule = (&'static str, fn(&Element) -> Vec<String>);

const RULES: &[Rule] = &[
    ("junit-10.xsd: only known elements and attributes", known),
    ("junit-10.xsd: times are seconds with at most three decimals", times),
    ("JUnit.xsd, dorny: at most one outcome element for a test case", one_outcome),
    ("GitLab: tests of one class and name vanish into one", unique_tests),
    ("GitLab, Jenkins: the class name is what the user sees as the suite", class_is_suite),
    ("GitLab ignores messages, mikepenz shows two lines: the text begins with the message", text_begins),
    ("every reader: no control characters, and no attribute of several lines", printable),
    ("every reader: counts are those of the elements", counts_agree),
    ("mikepenz: annotations need the file, and a line from 1", places),
    ("dorny does not walk nested suites, Jenkins refuses empty reports", flat),
];

fn each<'a>(root: &'a Element, name: &str) -> Vec<&'a Element> {
    let mut found = Vec::new();
    root.walk("", &mut |_, element| {
        if element.name == name {
            found.push(element);
        }
    });
    found
}

fn known(root: &Element) -> Vec<String> {
    let mut wrong = Vec::new();
    root.walk("", &mut |path, element| match ALLOWED.iter().find(|(name, ..)| *name == element.name) {
        None => wrong.push(path.to_owned()),
        Some((_, attributes, children)) => {
            wrong.extend(
                element
                    .attributes
                    .iter()
                    .filter(|(key, _)| !attributes.contains(&&**key))
                    .map(|(key, _)| format!("{path} {key}")),
            );
            wrong.extend(
                element
                    .children
                    .iter()
                    .filter(|child| !children.contains(&&*child.name))
                    .map(|child| format!("{path}/{}", child.name)),
            );
        }
    });
    wrong
}

fn times(root: &Element) -> Vec<String> {
    let mut wrong = Vec::new();
    root.walk("", &mut |path, element| {
        if let Some(time) = element.attribute("time") {
            let decimals = time.split_once('.').map_or(0, |(_, decimals)| decimals.len());
            if decimals > 3 || time.parse::<f64>().is_err() {
                wrong.push(format!("{path}: {time}"));
            }
        }
    });
    wrong
}

fn one_outcome(root: &Element) -> Vec<String> {
    let outcomes = |case: &&&Element| case.children.iter().filter(|child| child.name != "properties").count() > 1;
    each(root, "testcase").iter().filter(outcomes).map(|case| format!("{case:?}")).collect()
}

fn unique_tests(root: &Element) -> Vec<String> {
    let mut seen = HashSet::new();
    let keys = each(root, "testcase").into_iter().map(|case| (case.attribute("classname"), case.attribute("name")));
    keys.filter(|key| key.0.is_none() || !seen.insert(*key)).map(|key| format!("{key:?}")).collect()
}

fn class_is_suite(root: &Element) -> Vec<String> {
    let mut wrong = Vec::new();
    for suite in each(root, "testsuite") {
        let others = suite.named("testcase").filter(|case| case.attribute("classname") != suite.attribute("name"));
        wrong.extend(others.map(|case| format!("{case:?}")));
    }
    wrong
}

fn text_begins(root: &Element) -> Vec<String> {
    let red = each(root, "failure").into_iter().chain(each(root, "error"));
    red.filter(|outcome| {
        outcome.attribute("message").is_none_or(str::is_empty)
            || outcome.text.lines().next() != outcome.attribute("message")
            || outcome.attribute("type").is_none()
    })
    .map(|outcome| format!("{outcome:?}"))
    .collect()
}

fn printable(root: &Element) -> Vec<String> {
    let mut wrong = Vec::new();
    root.walk("", &mut |path, element| {
        let bad = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{fffe}' | '\u{ffff}');
        if element.text.contains(bad) || element.attributes.iter().any(|(_, value)| value.contains(char::is_control)) {
            wrong.push(format!("{path}: {element:?}"));
        }
    });
    wrong
}

fn counts_agree(root: &Element) -> Vec<String> {
    let mut wrong = Vec::new();
    for level in std::iter::once(root).chain(root.named("testsuite")) {
        for (attribute, element) in
            [("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")]
        {
            let count = each(level, element).len().to_string();
            if level.attribute(attribute) != Some(&count) {
                wrong.push(format!("{:?} {attribute} is not {count}", level.attribute("name")));
            }
        }
    }
    wrong
}

fn places(root: &Element) -> Vec<String> {
    let misplaced = |case: &&Element| {
        case.attribute("file").is_none_or(str::is_empty)
            || case.attribute("line").is_some_and(|line| line.parse::<u32>().is_ok_and(|line| line == 0))
    };
    each(root, "testcase").into_iter().filter(misplaced).map(|case| format!("{case:?}")).collect()
}

fn flat(root: &Element) -> Vec<String> {
    let is_flat = root.name == "testsuites" && root.children.iter().all(|suite| !suite.children.is_empty());
    let direct = root.named("testsuite").count() == each(root, "testsuite").len();
    if is_flat && direct { Vec::new() } else { vec!["suites are nested or empty".into()] }
}

#[test]
fn every_reader_can_read_it() {
    let mut cases = cases();
    cases.push(hostile());
    let root = parse(&text(&cases));
    let broken: Vec<_> =
        RULES.iter().map(|(rule, check)| (rule, check(&root))).filter(|(_, wrong)| !wrong.is_empty()).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_rules_are_seen_to_break() {
    for (rule, (text, least)) in RULES.iter().zip([
        (r#"<testsuites uuid="1"/>"#, 1),
        (r#"<testsuites time="0.1234"/>"#, 1),
        (r"<testsuites><testsuite><testcase><error/><failure/></testcase></testsuite></testsuites>", 1),
        (r#"<testsuites><testsuite><testcase classname="a" name="b"/><testcase classname="a" name="b"/></testsuite></testsuites>"#, 1),
        (r#"<testsuites><testsuite name="a"><testcase classname="b"/></testsuite></testsuites>"#, 1),
        (r#"<testsuites><testsuite><testcase><error message="a" type="b">b</error></testcase></testsuite></testsuites>"#, 1),
        ("<testsuites name=\"a\nb\"/>", 1),
        (r#"<testsuites tests="1" failures="0" errors="0" skipped="0"/>"#, 1),
        (r#"<testsuites><testsuite><testcase file="a" line="0"/></testsuite></testsuites>"#, 1),
        (r"<testsuites><testsuite><testsuite><testcase/></testsuite></testsuite></testsuites>", 1),
    ]) {
        assert!(rule.1(&parse(text)).len() >= least, "{} does not object to {text}", rule.0);
    }
}

#[test]
fn written_whole_into_new_folders_and_never_an_old_one_left() {
    let folder = std::env::temp_dir().join(format!("netcase-junit-{}", process::id()));
    let path = folder.join("deep/junit.xml");
    let mut junit = Junit::new(&path);
    samples::tell(&mut junit, vec![(1, passed()), (0, failed())]);
    assert_eq!(junit.failure(), None);
    let written = fs::read_to_string(&path).expect("the report is there");
    assert!(written.find("cases/nat") < written.find("cases/green"), "in the order of the input: {written}");
    assert_eq!(fs::read_dir(folder.join("deep")).expect("the folder is there").count(), 1, "nothing else is left");
    Junit::new(&path).on_event(&Event::RunStarted { cases: 1 });
    assert!(!path.exists(), "a run that has begun leaves no earlier report");
    fs::remove_dir_all(&folder).expect("the folder can be removed");
}

#[test]
fn a_report_that_cannot_be_written_says_so() {
    let mut junit = Junit::new("/proc/none/junit.xml");
    samples::tell(&mut junit, vec![(0, passed())]);
    let failure = junit.failure().expect("nobody can write there");
    assert!(failure.starts_with("cannot write the report /proc/none/junit.xml: "), "{failure}");
}

/// A report that goes to `/dev/null` must not take its place.
#[test]
fn a_pipe_is_written_to_and_stays() {
    let folder = std::env::temp_dir().join(format!("netcase-pipe-{}", process::id()));
    fs::create_dir_all(&folder).expect("a folder can be made");
    let path = folder.join("report");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a pipe can be made");
    let open = fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path);
    let mut reader = open.expect("it can be opened");
    let mut junit = Junit::new(&path);
    junit.on_event(&Event::RunStarted { cases: 0 });
    junit.on_event(&Event::RunFinished { summary: crate::report::Summary::default() });
    let mut read = String::new();
    io::Read::read_to_string(&mut reader, &mut read).expect("it can be read");
    assert_eq!(junit.failure(), None);
    assert!(read.contains("<testsuites"), "{read}");
    assert!(is_device(&path));
    fs::remove_dir_all(folder).expect("it is ours");
}
