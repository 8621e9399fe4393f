//! `forebay host`: the machine underneath.
//!
//! In: the appliance's configuration file, and this machine's sysfs, procfs and netlink. Out: the plan of what the
//! machine lacks, or findings about it, for people or as JSON. Nothing is changed here.

mod request;

use std::fmt::Write as _;

use ::host::check::{self, Finding, Outcome};
use ::host::inventory::{self, Inventory};
use ::host::links::Kernel;
use ::host::plan::{self, Plan, Step};
use ::host::sys::Root;
use ::host::wanted::{RefusedError, Wanted, derive};
use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::cli::{Host, HostOptions};
use crate::failure::{Failure, print};

const GOOD: Style = AnsiColor::Green.on_default();

const SLOW: Style = AnsiColor::Yellow.on_default();

const BAD: Style = AnsiColor::Red.on_default().bold();

/// The answer of `host plan` for scripts.
#[derive(Serialize)]
struct PlanAnswer<'a> {
    steps: &'a [Step],
    refused: Vec<String>,
}

/// The answer of `host check` for scripts.
#[derive(Serialize)]
struct CheckAnswer<'a> {
    ok: bool,
    findings: &'a [Finding],
    refused: Vec<String>,
}

/// Does what a command says.
pub(crate) fn run(command: &Host) -> Result<(), Failure> {
    match command {
        Host::Plan { options } => plan(options),
        Host::Check { options } => check(options),
    }
}

fn plan(options: &HostOptions) -> Result<(), Failure> {
    let (inventory, wanted) = look(options)?;
    match wanted {
        Ok(wanted) => {
            let plan = plan::between(&inventory, &wanted);
            let answer = PlanAnswer { steps: &plan.steps, refused: Vec::new() };
            print(&if options.json { line(&answer)? } else { text_of_plan(&plan) })
        }
        Err(refused) => refuse(options, &refused, |refused| line(&PlanAnswer { steps: &[], refused })),
    }
}

fn check(options: &HostOptions) -> Result<(), Failure> {
    let (inventory, wanted) = look(options)?;
    let wanted = match wanted {
        Ok(wanted) => wanted,
        Err(refused) => {
            return refuse(options, &refused, |refused| {
                line(&CheckAnswer { ok: false, findings: &[], refused })
            });
        }
    };
    let findings = check::all(&inventory, &wanted);
    let bad = findings.iter().filter(|finding| finding.outcome == Outcome::Bad).count();
    let answer = CheckAnswer { ok: bad == 0, findings: &findings, refused: Vec::new() };
    print(&if options.json { line(&answer)? } else { text_of_findings(&findings) })?;
    match bad {
        0 => Ok(()),
        1 => Err(Failure::new(
            "1 thing keeps this machine from running the configuration; its remedy is above",
        )),
        bad => Err(Failure::new(format!(
            "{bad} things keep this machine from running the configuration; their remedies are above"
        ))),
    }
}

type Looked = (Inventory, Result<Wanted, Vec<RefusedError>>);

fn look(options: &HostOptions) -> Result<Looked, Failure> {
    let checked = control::config::load(&options.config)?;
    crate::config_check::warn(&options.config, &checked.warnings);
    let request = request::of(&checked.config, options.force)?;
    let inventory = inventory::take(&Root::new("/"), &Kernel)?;
    let wanted = derive(&request, &inventory);
    Ok((inventory, wanted))
}

/// Says why the machine cannot have what is wanted.
fn refuse(
    options: &HostOptions,
    refused: &[RefusedError],
    json: impl FnOnce(Vec<String>) -> Result<String, Failure>,
) -> Result<(), Failure> {
    let sentences: Vec<String> = refused.iter().map(ToString::to_string).collect();
    let text = sentences.join("\n");
    if options.json {
        print(&json(sentences)?)?;
    }
    Err(Failure::new(text))
}

fn line(answer: &impl Serialize) -> Result<String, Failure> {
    Ok(serde_json::to_string(answer)? + "\n")
}

fn text_of_plan(plan: &Plan) -> String {
    match plan.steps.len() {
        0 => "This machine has everything that the configuration wants.\n".to_owned(),
        1 => format!("{plan}1 step. Nothing has been changed.\n"),
        steps => format!("{plan}{steps} steps, in this order. Nothing has been changed.\n"),
    }
}

fn text_of_findings(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let (style, word) = match finding.outcome {
            Outcome::Good => (GOOD, "good"),
            Outcome::Slow => (SLOW, "slow"),
            Outcome::Bad => (BAD, "bad"),
            Outcome::Unknown => (Style::new(), "unknown"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{style}{word:<8}{style:#}{:<15} {}: {}",
            finding.name, finding.subject, finding.text
        );
        if !finding.remedy.is_empty() {
            let _ = writeln!(text, "{:24}{}", "", finding.remedy);
        }
    }
    text
}
