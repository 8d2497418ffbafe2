//! Which files are found, in which order, and what they are called.

use super::*;

/// A folder of files that is gone when the test ends.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str, files: &[&str]) -> Self {
        let root = std::env::temp_dir().join(format!("netcase-select-{name}-{}", std::process::id()));
        for file in files {
            let path = root.join(file);
            fs::create_dir_all(path.parent().expect("it is below the root")).expect("folders can be made");
            fs::write(path, "").expect("files can be made");
        }
        Self(root.canonicalize().expect("it was just made"))
    }

    fn select(&self, arguments: &[&str]) -> (Vec<String>, Vec<String>) {
        let arguments: Vec<PathBuf> = arguments.iter().map(PathBuf::from).collect();
        let selection = select(&arguments, &self.0, &Set::default());
        let problems =
            selection.problems.into_iter().map(|problem| format!("{}: {}", problem.argument, problem.message));
        (selection.cases.into_iter().map(|case| case.name).collect(), problems.collect())
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // Left behind in the folder for temporary files at worst.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn arguments_select_sorted_cases_once() {
    let tree = Tree::new(
        "sorted",
        &[
            "cases/b.toml",
            "cases/a/z.toml",
            "cases/a.toml",
            "cases/a/x.lab.toml",
            "cases/a/notes.md",
            "cases/.hidden.toml",
            "cases/.git/config.toml",
            "cases/nat/one.toml",
            "cases/nat/two.toml",
            "plain.txt",
        ],
    );
    let absolute = tree.0.join("cases/b.toml");
    let absolute = absolute.to_str().expect("the name is text");
    let all = ["cases/a/z", "cases/a", "cases/b", "cases/nat/one", "cases/nat/two"];
    for (arguments, expected) in [
        (&["cases"][..], &all[..]),
        (&["cases/"], &all),
        (&["./cases/../cases"], &all),
        (&["."], &all),
        (&["cases/nat", "cases", "cases/b.toml"], &all),
        (&[absolute], &["cases/b"]),
        (&["cases/../cases/b.toml", "./cases/b.toml", absolute], &["cases/b"]),
        (&["cases/*.toml"], &["cases/a", "cases/b"]),
        (&["cases/**/*.toml"], &all),
        (&["./cases/**/{one,z}.toml"], &["cases/a/z", "cases/nat/one"]),
        (&["cases/n*"], &["cases/nat/one", "cases/nat/two"]),
        (&["cases/[ab].toml"], &["cases/a", "cases/b"]),
        (&["cases/*/one.toml"], &["cases/nat/one"]),
        (&["plain.txt"], &["plain.txt"]),
    ] {
        let (names, problems) = tree.select(arguments);
        assert_eq!((names, problems), (expected.iter().map(ToString::to_string).collect(), vec![]), "{arguments:?}");
    }
}

#[test]
fn an_argument_that_selects_nothing_is_told() {
    let tree = Tree::new("nothing", &["cases/a.toml", "cases/b.lab.toml", "empty/notes.md"]);
    let (names, problems) = tree.select(&[
        "nowhere",
        "cases/b.toml",
        "cases/*.lab.toml",
        "cases/[",
        "cases",
        "empty",
        "cases/b.lab.toml",
        "cases/b.lab",
        "cases/a[x=1]",
    ]);
    assert_eq!(names, ["cases/a"]);
    assert_eq!(
        problems,
        [
            "nowhere: there is no such file or folder",
            "cases/b.toml: there is no such file or folder",
            "cases/*.lab.toml: no case matches this pattern",
            "cases/[: this is not a pattern: unclosed character class; missing ']'",
            "cases/b.lab.toml: this is a lab file, which expects nothing: run the cases that name it as their `topology`",
            "cases/b.lab: there is no such file or folder",
            "cases/a[x=1]: this case has no matrix",
        ]
    );
}

#[test]
fn a_case_outside_the_folder_is_called_by_its_whole_path() {
    let tree = Tree::new("outside", &["here/keep", "there/a.toml"]);
    let selection = select(&[PathBuf::from("../there")], &tree.0.join("here"), &Set::default());
    let names: Vec<_> = selection.cases.into_iter().map(|case| case.name).collect();
    assert_eq!(names, [tree.0.join("there/a").to_string_lossy()]);
}

#[test]
fn links_in_a_circle_end_and_give_no_second_name() {
    let tree = Tree::new("circle", &["cases/a.toml"]);
    std::os::unix::fs::symlink("..", tree.0.join("cases/up")).expect("links can be made");
    std::os::unix::fs::symlink("cases", tree.0.join("alias")).expect("links can be made");
    assert_eq!(tree.select(&["cases", "alias", "alias/a.toml"]), (vec!["cases/a".into()], vec![]));
}

#[test]
fn a_case_is_found_by_its_name_alone() {
    let tree = Tree::new("by-name", &["cases/a.toml", "cases/b.lab.toml"]);
    for (name, found) in [
        ("cases/a", true),
        ("cases/b.lab", false),
        ("cases/../cases/a", false),
        ("./cases/a", false),
        ("cases", false),
        ("a", false),
    ] {
        assert_eq!(by_name(name, &tree.0, &Set::default()).is_some(), found, "{name}");
    }
}

#[test]
fn a_case_is_selected_by_its_name_too() {
    let tree = Tree::new("named", &["cases/a.toml", "cases/b.toml"]);
    assert_eq!(tree.select(&["cases/a"]), (vec!["cases/a".into()], Vec::new()));
    assert_eq!(tree.select(&["cases/c"]), (Vec::new(), vec!["cases/c: there is no such file or folder".into()]));
}
