//! The table of imports in ARCHITECTURE.md, and the imports of a source file.

use crate::code::without_comments_and_strings;

/// Who may use whom.
pub(crate) struct Table {
    layers: Vec<(u32, String)>,
    bans: Vec<Ban>,
}

/// What a module may not use though it lies below.
struct Ban {
    module: String,
    but: Option<String>,
    of: Vec<String>,
}

impl Table {
    /// Reads the table between its two marks.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once("<!-- imports -->")?;
        let (rows, _) = rest.split_once("<!-- end of imports -->")?;
        let mut table = Self { layers: Vec::new(), bans: Vec::new() };
        for row in rows.lines() {
            let cells: Vec<&str> = row.trim().trim_matches('|').split('|').map(str::trim).collect();
            let [layer, modules, bans] = cells.as_slice() else { continue };
            let Ok(layer) = layer.parse() else { continue };
            table.layers.extend(marked(modules).into_iter().map(|module| (layer, module)));
            for ban in bans.split(';').filter(|ban| !ban.trim().is_empty()) {
                let (who, of) = ban.split_once("`: ")?;
                let mut who = marked(&format!("{who}`")).into_iter();
                table.bans.push(Ban { module: who.next()?, but: who.next(), of: marked(of) });
            }
        }
        let named = |module: &String| table.layers.iter().any(|(_, known)| known == module);
        let bans_are_known = table.bans.iter().all(|ban| named(&ban.module) && ban.of.iter().all(named));
        (table.layers.len() > 10 && bans_are_known).then_some(table)
    }

    fn layer(&self, module: &str) -> Option<u32> {
        self.layers.iter().find(|(_, known)| known == module).map(|(layer, _)| *layer)
    }

    /// What a file does that the table does not allow.
    pub(crate) fn faults(&self, file: &str, text: &str) -> Vec<String> {
        let path = module_path(file);
        let Some(own) = path.first() else { return vec![format!("{file} is no module")] };
        let unknown = |module: &str| format!("`{module}` stands in no layer of ARCHITECTURE.md");
        let Some(own_layer) = self.layer(own) else { return vec![format!("{file}: {}", unknown(own))] };
        let mut faults = Vec::new();
        for Import { line, module, climbed } in imports(&path, &without_comments_and_strings(text)) {
            if module == *own {
                continue;
            }
            let Some(layer) = self.layer(&module) else {
                if !climbed {
                    faults.push(format!("{file}:{line}: {}", unknown(&module)));
                }
                continue;
            };
            if layer >= own_layer || self.is_banned(&path, own, &module) {
                faults.push(format!("{file}:{line}: `{own}` may not use `{module}`"));
            }
        }
        faults.dedup();
        faults
    }

    fn is_banned(&self, path: &[String], own: &str, module: &str) -> bool {
        let place = path.join("::");
        self.bans.iter().any(|ban| {
            let free = ban.but.as_ref().is_some_and(|but| place == *but || place.starts_with(&format!("{but}::")));
            ban.module == own && !free && ban.of.iter().any(|banned| banned == module)
        })
    }
}

/// A top module that code names.
pub(crate) struct Import {
    line: usize,
    pub(crate) module: String,
    /// Whether it was reached with `super::`. Within an inline module that may be one `super` short of the root, so what
    /// is then named need not be a module at all.
    climbed: bool,
}

/// The words between back-ticks.
fn marked(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// `src/verdict/judge/mod.rs` is `verdict::judge`.
pub(crate) fn module_path(file: &str) -> Vec<String> {
    let name = file.strip_prefix("src/").unwrap_or(file).trim_end_matches(".rs").trim_end_matches("/mod");
    name.split('/').map(str::to_owned).collect()
}

/// The top modules that code names, with the line: through `crate::`, through the crate's own name, or by climbing to
/// the root with `super::`.
pub(crate) fn imports(path: &[String], code: &str) -> Vec<Import> {
    let tokens = tokens(code);
    let word = |at: usize| tokens.get(at).map_or("", |(_, token)| *token);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let start = at;
        let follows_path = start > 0 && word(start - 1) == "::";
        let mut supers = 0;
        while word(at) == "super" && word(at + 1) == "::" {
            supers += 1;
            at += 2;
        }
        let at_root = match word(start) {
            "crate" => word(start + 1) == "::",
            "netcase" => word(start + 1) == "::" && !follows_path,
            "super" => supers >= path.len(),
            _ => false,
        };
        if at_root {
            at = at.max(start + 2);
            let names =
                if word(at) == "{" { group(&tokens, at) } else { tokens.get(at).copied().into_iter().collect() };
            let modules = names.into_iter().filter(|(_, name)| is_module_name(name));
            found.extend(modules.map(|(line, name)| Import { line, module: name.to_owned(), climbed: supers > 0 }));
        }
        at = at.max(start + 1);
    }
    found
}

/// The first word of each path in a `{ ... }`.
fn group<'a>(tokens: &[(usize, &'a str)], open: usize) -> Vec<(usize, &'a str)> {
    let mut names = Vec::new();
    let mut depth = 0;
    let mut first = true;
    for (line, token) in tokens.get(open..).unwrap_or_default() {
        match *token {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 1 => first = true,
            name if depth == 1 && first => {
                names.push((*line, name));
                first = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names
}

/// Modules are lower case; what else stands at the root is a re-export or a macro.
fn is_module_name(name: &str) -> bool {
    name != "self" && name.starts_with(|first: char| first.is_ascii_lowercase())
}

/// Words, `::`, and single other characters, each with its line from 1.
fn tokens(code: &str) -> Vec<(usize, &str)> {
    let mut tokens = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let is_name = |character: char| character.is_alphanumeric() || character == '_';
            let length = if is_name(first) {
                rest.find(|character| !is_name(character)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            tokens.push((index + 1, &rest[..length]));
            rest = rest[length..].trim_start();
        }
    }
    tokens
}
