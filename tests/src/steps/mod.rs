//! The steps of the rehearsal, in the order in which a team lives through them.

mod deploy;
mod destroy;
mod preview;
mod production;
mod secrets;
mod staging;
mod support;

use crate::Rehearsal;
use std::{future::Future, pin::Pin};
pub use support::IMAGES;

type Step = for<'a> fn(&'a mut Rehearsal) -> Pin<Box<dyn Future<Output = Result<(), String>> + 'a>>;

/// The images that the rehearsal deploys, as the variable `FORMWORK_IMAGES` takes them.
pub fn images() -> String {
    let images: Vec<&str> =
        support::IMAGES.into_iter().filter(|argument| argument.contains('=')).collect();
    images.join(",")
}

/// A step's name and what it does.
macro_rules! steps {
    ($($name:literal => $step:path;)*) => {
        vec![$(($name, (|rehearsal| Box::pin($step(rehearsal))) as Step)),*]
    };
}

/// Every step; with `keep`, only those up to the previews.
pub fn all(keep: bool) -> Vec<(&'static str, Step)> {
    let mut steps: Vec<(&'static str, Step)> = steps! {
        "plan of production on an empty account: everything to create, nothing read" => production::plan_on_empty;
        "an apply of production is killed late, and no secret is in its journal" => secrets::of_a_killed_run;
        "apply of production" => production::apply;
        "second plan of production is empty" => production::second_plan;
        "a lost state of production is rebuilt from what exists, and the plan is empty" => production::rebuild;
        "drift made from outside shows as exactly those changes" => production::drift;
        "apply repairs the drift" => production::repair;
        "a server of production that doesn't start is put back, with its evidence kept" => deploy::production;
        "a canary that doesn't start is taken away, one that does is promoted" => deploy::canary;
        "the server of production is released alone, and rolled back" => deploy::one_part;
        "apply of foundation and staging" => staging::apply;
        "a template database with rows in it" => staging::template;
        "two previews are created, each by two runs at once, of which one wins" => preview::create;
        "each preview has its database, role, secrets, namespace and release" => preview::contents;
        "each role reads and writes its own rows, and is refused by the other's database" => preview::isolation;
        "a server of a preview that doesn't start is put back, with its evidence kept" => deploy::preview;
        "the master password is nowhere in a preview" => preview::no_master;
        "no secret of either account is in a state, a plan or an output" => secrets::of_everything;
    };
    if !keep {
        steps.extend(steps! {
            "destroying one preview leaves the other and staging untouched" => destroy::one_preview;
            "staging can't go while a preview imports it" => destroy::staging_is_in_use;
            "destroying production is refused while it is protected" => destroy::protected;
            "taking the protection off is an apply of its own" => destroy::unprotect;
            "destroying production without consent is refused" => destroy::no_consent;
            "destroying production with consent" => destroy::production;
            "destroying the other preview, staging and foundation" => destroy::the_rest;
            "what exists is what existed before, but for a named list" => destroy::nothing_left;
        });
    }
    steps
}
