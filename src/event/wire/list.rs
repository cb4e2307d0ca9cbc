//! Reading lists: the items that can be read, as far as the budget goes.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserializer,
    de::{SeqAccess, Visitor},
};

use super::{
    budget::{Budget, push},
    lenient::{Lenient, Seed, otherwise, skip_items},
};

/// Anything but a list reads as an empty one.
impl<'de, T> Lenient<'de> for Vec<T>
where
    Option<T>: Lenient<'de>,
{
    fn read<D: Deserializer<'de>>(deserializer: D, budget: &mut Budget) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListVisitor { budget, of: PhantomData })
    }
}

struct ListVisitor<'b, T> {
    budget: &'b mut Budget,
    of: PhantomData<T>,
}

impl<'de, T> Visitor<'de> for ListVisitor<'_, T>
where
    Option<T>: Lenient<'de>,
{
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while self.budget.take::<T>() {
            let seed = Seed { budget: &mut *self.budget, of: PhantomData::<Option<T>> };
            match items.next_element_seed(seed)? {
                Some(Some(item)) => push(&mut list, item),
                Some(None) => self.budget.give_back::<T>(),
                None => {
                    self.budget.give_back::<T>();
                    return Ok(list);
                }
            }
        }
        skip_items(&mut items)?;
        Ok(list)
    }

    otherwise!(Vec::new(); bool i64 u64 f64 str unit map);
}
