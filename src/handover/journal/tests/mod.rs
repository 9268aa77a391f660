//! The journal on a model of the file system: every crash point of short histories, and faults.

mod checks;
mod crashes;
mod disk_model;
mod faults;
mod histories;
mod size;
mod steps;
mod world;
