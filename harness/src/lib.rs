pub mod source;
pub mod diagnostic;
pub mod words;
pub mod case;
pub mod observation;
pub mod plan;
