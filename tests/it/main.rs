//! The program from outside.

mod templating;
