//! The part of the vector table that is the chip's. cortex-m-rt's own has 240 entries, of which this chip has 43: the rest
//! is 788 bytes of flash.

use crate::Interrupt;

unsafe extern "C" {
    /// cortex-m-rt's, or a board's own: it asks which interrupt it is.
    fn DefaultHandler();
}

// SAFETY: cortex-m-rt's linker script puts this section, and only it, behind the 16 vectors of the processor's own.
#[unsafe(link_section = ".vector_table.interrupts")]
// SAFETY: nobody else defines this symbol, which cortex-m-rt asks for by its feature `device`.
#[unsafe(no_mangle)]
static __INTERRUPTS: [unsafe extern "C" fn(); Interrupt::Ethernet as usize + 1] =
    [DefaultHandler; Interrupt::Ethernet as usize + 1];
