//! Products of two 64-bit numbers, and their division back. Products are exact in 128 bits; quotients that do not fit stop at the
//! end of 64 bits. Most products fit 64 bits, and a 64-bit division is several times faster, so that is tried first.

use std::num::{NonZeroU64, NonZeroU128};

/// Exact: 64 bits times 64 bits fit 128.
pub(crate) fn product(a: u64, b: u64) -> u128 {
    u128::from(a) * u128::from(b)
}

/// `dividend / divisor`, rounded down.
pub(crate) fn divide_floor(dividend: u128, divisor: NonZeroU64) -> u64 {
    match u64::try_from(dividend) {
        Ok(dividend) => dividend / divisor,
        Err(_) => narrow(dividend / NonZeroU128::from(divisor)),
    }
}

/// `dividend / divisor`, rounded up.
pub(crate) fn divide_ceil(dividend: u128, divisor: NonZeroU64) -> u64 {
    match u64::try_from(dividend) {
        Ok(dividend) => dividend.div_ceil(divisor.get()),
        Err(_) => narrow(dividend.div_ceil(u128::from(divisor.get()))),
    }
}

/// The number, or the end of 64 bits.
pub(crate) fn narrow(wide: u128) -> u64 {
    u64::try_from(wide).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_paths_divide_alike(dividend in any::<u128>(), shift in 0u32..128, divisor in 1..=u64::MAX) {
            let dividend = dividend >> shift;
            let (wide, divisor) = (u128::from(divisor), NonZeroU64::new(divisor).unwrap());
            prop_assert_eq!(divide_floor(dividend, divisor), narrow(dividend / wide));
            prop_assert_eq!(divide_ceil(dividend, divisor), narrow(dividend / wide + u128::from(dividend % wide != 0)));
        }
    }

    #[test]
    fn the_extremes_hold() {
        assert_eq!(product(u64::MAX, u64::MAX), 0xffff_ffff_ffff_fffe_0000_0000_0000_0001);
        assert_eq!(divide_ceil(u128::MAX, NonZeroU64::MIN), u64::MAX);
        assert_eq!(divide_floor(u128::MAX, NonZeroU64::MAX), u64::MAX);
        assert_eq!(divide_ceil(u128::from(u64::MAX), NonZeroU64::MAX), 1);
    }
}
