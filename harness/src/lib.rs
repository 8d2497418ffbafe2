//! Network assertions for Linux: declare a topology, and what must hold in it.

pub mod case;
pub mod cli;
pub mod diagnostic;
pub mod dns;
pub mod evidence;
pub mod extended_ack;
pub mod lab;
pub mod namespace;
pub mod observation;
pub mod plan;
pub mod preflight;
pub mod probe;
pub mod report;
pub mod run;
pub mod service;
pub mod source;
pub mod trial;
pub mod verdict;
pub mod words;
pub mod worker;
