//! Network assertions for Linux: declare a topology, and what must hold in it.

pub mod case;
pub mod cli;
pub mod diagnostic;
pub mod observation;
pub mod plan;
pub mod preflight;
pub mod report;
pub mod run;
pub mod source;
pub mod trial;
pub mod verdict;
pub mod words;
pub mod worker;
