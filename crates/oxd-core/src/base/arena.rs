//! Memory for the parsed values of a configuration.

use std::any::Any;

use elsa::sync::FrozenVec;

/// Keeps parsed values until it is dropped, and hands out references to them.
#[derive(Default)]
pub struct Arena {
    values: FrozenVec<Box<dyn Any + Send + Sync>>,
}

impl Arena {
    /// Stores a value for as long as the arena lives.
    pub fn keep<T: Any + Send + Sync>(&self, value: T) -> &T {
        match self.values.push_get(Box::new(value)).downcast_ref() {
            Some(kept) => kept,
            None => unreachable!("the value just stored has the type it was stored with"),
        }
    }
}
