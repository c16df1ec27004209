//! The table is a map, also where keys crowd, and as large as what it holds.

use std::collections::BTreeMap;

use drl_limits::Counter;
use proptest::prelude::*;

use super::*;
use crate::row::Place;

fn row(place: Place) -> Row {
    Row { counter: Counter::unused(), place }
}

/// Keys of which many share their home, also at the end of a table, where the way goes on at the beginning.
fn key(number: u8) -> KeyHash {
    let mut bytes = [0; 16];
    (bytes[0], bytes[8]) = ([0, 1, 6, 7, 30, 31][usize::from(number % 6)], number);
    KeyHash::from_bytes(bytes)
}

proptest! {
    #[test]
    fn it_is_a_map(steps in prop::collection::vec((0_u8..9, 0_u8..32, any::<bool>()), 0..300)) {
        let (mut table, mut model) = (Table::default(), BTreeMap::new());
        for (step, number, is_open) in steps {
            let place = if is_open { Place::OpenFrame } else { Place::Sealed };
            let (found, expected) = match step {
                0..4 => (table.insert(key(number), row(place)), model.insert(number, place)),
                4..7 => (table.remove(key(number)), model.remove(&number)),
                7 => {
                    table.retain(|_, row| row.place != place);
                    model.retain(|_, kept| *kept != place);
                    (None, None)
                }
                _ => {
                    table.reserve(usize::from(number));
                    (None, None)
                }
            };
            prop_assert_eq!(found.map(|row| row.place), expected);
            prop_assert_eq!((table.len(), table.is_empty()), (model.len(), model.is_empty()));
            for number in 0..32 {
                table.fetch(key(number));
                prop_assert_eq!(table.get(key(number)).map(|row| row.place), model.get(&number).copied());
            }
            prop_assert_eq!(table.iter().count(), model.len());
        }
    }
}

#[test]
fn a_table_is_as_large_as_what_it_holds() {
    assert_eq!([0, 1, 5, 6, 10, 11, 1_000].map(slots_for), [0, 8, 8, 16, 16, 32, 2_048]);
    let mut table = Table::default();
    for number in 0..32 {
        table.insert(key(number), row(Place::Sealed));
    }
    assert_eq!(table.slots.len(), 64);
    table.retain(|found, _| found == key(0) || found == key(1));
    assert_eq!((table.slots.len(), table.len()), (8, 2));
    assert!(table.get(key(0)).is_some() && table.get(key(1)).is_some());
    table.retain(|_, _| false);
    assert_eq!(table.slots.len(), 0);
}
