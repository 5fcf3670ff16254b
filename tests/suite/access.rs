//! Who comes in, and what an application gets of them.

mod access {
    pub(crate) mod forms;
    pub(crate) mod handed_on;
    pub(crate) mod outcomes;
    pub(crate) mod rules;
    pub(crate) mod subrequests;
}
