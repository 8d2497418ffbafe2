//! Rules as files have them: which chain each belongs to, and where it stands.

/// What a text of rules declares, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    /// Rules; one statement may stand for several of the kernel's.
    pub(super) rules: Vec<Line>,
    /// Chains: where they say what becomes of a packet that no rule decides, else where they are declared.
    pub(super) chains: Vec<Line>,
    /// Chains of which it is not known which rules are left.
    unsure: Vec<ChainName>,
}

/// A rule or a chain, and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The chain.
    pub(super) chain: ChainName,
    /// Which of the files that were read, in the order in which they are first read.
    pub(super) file: usize,
    /// Where it begins and ends in the file.
    pub(super) range: std::ops::Range<usize>,
    /// Whether a chain says here what becomes of a packet that no rule decides.
    pub(super) decides: bool,
    /// How many rules the kernel makes of it.
    pub(super) makes: usize,
    /// The handle in a comment behind it, as nft(8) lists rules.
    pub(super) handle: Option<u64>,
}

/// A chain by its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct ChainName {
    pub(super) family: String,
    pub(super) table: String,
    pub(super) chain: String,
}

impl ChainName {
    pub(super) fn new(family: &str, table: &str, chain: &str) -> Self {
        Self { family: family.to_owned(), table: table.to_owned(), chain: chain.to_owned() }
    }
}

impl Written {
    /// Adds a rule.
    pub(super) fn rule(&mut self, line: Line) {
        self.rules.push(line);
    }

    /// Adds a chain, by the place that says the most of it so far.
    pub(super) fn chain(&mut self, line: Line) {
        match self.chains.iter_mut().find(|known| known.chain == line.chain) {
            Some(known) if line.decides => *known = line,
            Some(_) => {}
            None => self.chains.push(line),
        }
    }

    /// Forgets the rules of the chains that are emptied at this place.
    pub(super) fn empty(&mut self, is_meant: impl Fn(&ChainName) -> bool) {
        self.rules.retain(|line| !is_meant(&line.chain));
        self.unsure.retain(|chain| !is_meant(chain));
    }

    /// A chain loses a rule of which only the program knows which it is.
    pub(super) fn lose(&mut self, chain: ChainName) {
        self.unsure.push(chain);
    }

    /// Where each of the rules that the kernel has made of a chain is written, in the order of their handles; nothing
    /// when these are not as many.
    pub(super) fn places(&self, chain: &ChainName, made: usize) -> Option<Vec<&Line>> {
        let lines = self.rules.iter().filter(|line| line.chain == *chain);
        let places: Vec<&Line> = lines.flat_map(|line| std::iter::repeat_n(line, line.makes)).collect();
        (places.len() == made && !self.unsure.contains(chain)).then_some(places)
    }
}
