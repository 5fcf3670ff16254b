//! Memory for the parsed values of a configuration.

use std::any::Any;

use elsa::sync::FrozenVec;

/// Keeps parsed values until it is dropped, and hands out references to them.
///
/// Values own what they hold, but for the items of lists, which may refer to other values of the same arena: they are
/// plain copies, so that it does not matter in which order the arena drops them.
pub struct Arena<Item: Copy> {
    values: FrozenVec<Box<dyn Any + Send + Sync>>,
    lists: FrozenVec<Box<[Item]>>,
}

impl<Item: Copy> Default for Arena<Item> {
    fn default() -> Self {
        Self {
            values: FrozenVec::new(),
            lists: FrozenVec::new(),
        }
    }
}

impl<Item: Copy> Arena<Item> {
    /// Stores a value for as long as the arena lives.
    pub fn keep<T: Any + Send + Sync>(&self, value: T) -> &T {
        match self.values.push_get(Box::new(value)).downcast_ref() {
            Some(kept) => kept,
            None => unreachable!("the value just stored has the type it was stored with"),
        }
    }

    /// Stores a list with one more item for as long as the arena lives.
    pub fn keep_list(&self, list: &[Item], last: Item) -> &[Item] {
        self.lists.push_get(list.iter().copied().chain([last]).collect())
    }
}
