#![forbid(unsafe_code)]
mod capture_info;
mod ui;
fn main() {}
