package chaos

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// clockWorks reports why clocks of other processes cannot be shifted here. Our own stands for that of a victim.
func clockWorks() error {
	if err := signalsWork(); err != nil {
		return err
	}
	self, err := ProcessOf(os.Getpid())
	if err != nil {
		return err
	}
	list, err := self.clockCode(leastShift)
	if err != nil {
		return err
	}
	if err := self.canWrite(list[0]); err != nil {
		return err
	}
	if b, err := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope"); err == nil && string(bytes.TrimSpace(b)) != "0" && !mayTrace() {
		return errors.New("the right to trace processes is needed (root with CAP_SYS_PTRACE, or ptrace_scope 0): the guardian has to be able to set the clock right")
	}
	return nil
}

// canWrite writes code of this process over itself, as it is: kernels may refuse that.
func (p Process) canWrite(c patch) error {
	b, err := hex.DecodeString(c.Old)
	if err != nil {
		return err
	}
	mem, err := os.OpenFile("/proc/self/mem", os.O_RDWR, 0)
	if err == nil {
		_, err = mem.WriteAt(b, int64(c.Addr))
		mem.Close()
	}
	if err != nil {
		return fmt.Errorf("the kernel does not let code be replaced: %w", err)
	}
	return nil
}

// mayTrace reports whether this process has CAP_SYS_PTRACE.
func mayTrace() bool {
	b, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == "CapEff:" {
			caps, _ := strconv.ParseUint(f[1], 16, 64)
			return caps&(1<<unix.CAP_SYS_PTRACE) != 0
		}
	}
	return false
}

// clockFunctions are the functions of the vDSO that read the wall clock, and the code that asks the kernel instead and adds seconds to what it says. Arguments
// come in rdi and rsi; syscall takes them as they are and spoils rcx and r11, which belong to the callee.
var clockFunctions = map[string]func(seconds int32) []byte{
	"__vdso_clock_gettime": func(s int32) []byte { // int (clockid in edi, struct timespec * in rsi)
		return code("b8 e4000000  0f05  85ff 7405  83ff05 7507  4881 06", s, "c3") // rax = 228; where edi is 0 or 5, *rsi += s
	},
	"__vdso_gettimeofday": func(s int32) []byte { // int (struct timeval * in rdi, zone in rsi)
		return code("b8 60000000  0f05  4885ff 7407  4881 07", s, "c3") // rax = 96; where rdi is not 0, *rdi += s
	},
	"__vdso_time": func(s int32) []byte { // long (long * in rdi)
		return code("b8 c9000000  0f05  4805", s, "4885ff 7403  488907  c3") // rax = 201; rax += s; where rdi is not 0, *rdi = rax
	},
}

// code joins instructions around a number.
func code(before string, n int32, after string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(before, " ", ""))
	if err != nil {
		panic(err)
	}
	end, err := hex.DecodeString(strings.ReplaceAll(after, " ", ""))
	if err != nil {
		panic(err)
	}
	return append(binary.LittleEndian.AppendUint32(b, uint32(n)), end...)
}

// clockCode returns the patches that shift the clock of a process. It only reads.
func (p Process) clockCode(shift time.Duration) ([]patch, error) {
	lo, image, err := p.vdso()
	if err != nil {
		return nil, err
	}
	f, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return nil, fmt.Errorf("read the vDSO of %v: %w", p, err)
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return nil, fmt.Errorf("read the vDSO of %v: %w", p, err)
	}
	var list []patch
	for _, s := range symbols {
		make, ok := clockFunctions[s.Name]
		if !ok {
			continue
		}
		fresh := make(int32(shift / time.Second))
		if uint64(len(fresh)) > s.Size || s.Value+s.Size > uint64(len(image)) {
			return nil, fmt.Errorf("%s of the vDSO has %d bytes, want room for %d", s.Name, s.Size, len(fresh))
		}
		old := image[s.Value : s.Value+uint64(len(fresh))]
		if bytes.Equal(old[:7], fresh[:7]) {
			return nil, fmt.Errorf("the clock of %v is shifted already, by someone else", p)
		}
		list = append(list, patch{lo + s.Value, hex.EncodeToString(old), hex.EncodeToString(fresh)})
	}
	if len(list) != len(clockFunctions) {
		return nil, fmt.Errorf("the vDSO of %v has %d of the %d functions that read the clock", p, len(list), len(clockFunctions))
	}
	return list, nil
}

// vdso returns where the vDSO of a process is, and its bytes.
func (p Process) vdso() (lo uint64, image []byte, err error) {
	lo, hi, err := p.vdsoRange()
	if err != nil {
		return 0, nil, err
	}
	image, err = p.peek(lo, int(hi-lo))
	return lo, image, err
}

func (p Process) vdsoRange() (lo, hi uint64, err error) {
	if _, err := p.look(); err != nil {
		return 0, 0, err
	}
	maps, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/maps")
	if err == nil {
		lo, hi, err = vdsoRange(string(maps))
	}
	if err != nil {
		return 0, 0, p.orGone(fmt.Errorf("find the vDSO of %v: %w", p, err))
	}
	return lo, hi, nil
}

// peek reads memory of the process.
func (p Process) peek(addr uint64, n int) ([]byte, error) {
	mem, err := os.Open("/proc/" + strconv.Itoa(p.PID) + "/mem")
	if err != nil {
		return nil, p.orGone(fmt.Errorf("read the memory of %v: %w", p, err))
	}
	defer mem.Close()
	b := make([]byte, n)
	if _, err := mem.ReadAt(b, int64(addr)); err != nil {
		return nil, p.orGone(fmt.Errorf("read the memory of %v: %w", p, err))
	}
	_, err = p.look() // else it was another's
	return b, err
}

// orGone is errGone if the process has ended meanwhile, else err.
func (p Process) orGone(err error) error {
	if p.Gone() {
		return errGone
	}
	return err
}

// clockShifted reports whether any of the patches is in the process.
func (p Process) clockShifted(list []patch) (bool, error) {
	for _, c := range list {
		now, err := p.peek(c.Addr, len(c.New)/2)
		if err != nil {
			return false, err
		}
		if hex.EncodeToString(now) != c.Old {
			return true, nil
		}
	}
	return false, nil
}

// setClock puts the patches in, or what was there before. The process is stopped meanwhile, for about a millisecond as a rule.
func (p Process) setClock(ctx context.Context, list []patch, shift bool) error {
	lo, hi, err := p.vdsoRange()
	if err != nil {
		return err
	}
	for _, c := range list {
		if c.Addr < lo || c.Addr+uint64(len(c.New)/2) > hi {
			return fmt.Errorf("%x does not lie in the vDSO of %v", c.Addr, p)
		}
	}
	s, err := p.look()
	if err != nil {
		return err
	} else if shift && s.stopped() {
		return fmt.Errorf("%v is stopped already, by someone else", p)
	}
	switch done, err := p.written(list, shift); {
	case err != nil:
		return err // nothing that a stop would change
	case done && s.stopped() && !shift: // whoever shifted it died in between
		return p.signal(sigCont, func() {})
	case done:
		return nil
	}
	var last error
	err = until(ctx, time.Millisecond, func() error {
		if err := p.signal(sigStop, func() {}); err != nil {
			return err
		}
		err := p.rewrite(ctx, list, shift, touched(list, shift, lo, hi))
		more := p.signal(sigCont, func() {})
		if errors.Is(err, errReading) || errors.Is(err, errMoving) {
			return errors.Join(err, more)
		}
		last = errors.Join(err, more)
		return nil // no other reason goes away when it is tried again
	})
	return errors.Join(err, last)
}

// written reports whether all the code is as it is to be, or says that some of it is neither that nor what it was.
func (p Process) written(list []patch, shift bool) (bool, error) {
	done := true
	for _, c := range list {
		now, err := p.peek(c.Addr, len(c.New)/2)
		if err != nil {
			return false, err
		}
		want, other := c.ends(shift)
		switch hex.EncodeToString(now) {
		case want:
		case other:
			done = false
		default:
			return false, fmt.Errorf("the code at %x of %v was changed by someone else", c.Addr, p)
		}
	}
	return done, nil
}

// ends returns the code that is to be there, and that which is there before.
func (c *patch) ends(shift bool) (want, other string) {
	if shift {
		return c.New, c.Old
	}
	return c.Old, c.New
}

// haltLimit bounds how long the threads of a process may take to stop; one that waits for a disk does not stop before that is over.
const haltLimit = 150 * time.Millisecond

// touched returns the ranges of code in which no thread may stand, or return to, while it is written: of the kernel's own code all of it, since that jumps to and
// fro; of ours, which does not, only itself.
func touched(list []patch, shift bool, lo, hi uint64) (ranges [][2]uint64) {
	if shift {
		return [][2]uint64{{lo + 1, hi}} // a program knows lo, where no code is
	}
	for _, c := range list {
		ranges = append(ranges, [2]uint64{c.Addr, c.Addr + uint64(len(c.New)/2)})
	}
	return ranges
}

// stackDepth is how far the stack of a thread is looked through for where it returns to: the handler of a signal may have interrupted it anywhere.
const stackDepth = 32 << 10

// rewrite writes the patches of a process that was told to stop, once no thread of it stands in the code in question or returns to it.
func (p Process) rewrite(ctx context.Context, list []patch, shift bool, ranges [][2]uint64) error {
	mem, err := os.OpenFile("/proc/"+strconv.Itoa(p.PID)+"/mem", os.O_RDWR, 0)
	if err != nil {
		return p.orGone(fmt.Errorf("write to the memory of %v: %w", p, err))
	}
	defer mem.Close()
	waiting, cancel := context.WithTimeout(ctx, haltLimit)
	defer cancel()
	for {
		err := p.stands(mem, ranges)
		if err == nil {
			break
		}
		if waiting.Err() != nil || !errors.Is(err, errMoving) { // it has to go on
			return err
		}
		time.Sleep(50 * time.Microsecond)
	}
	for _, c := range list {
		want, other := c.ends(shift)
		now, err := p.peek(c.Addr, len(want)/2)
		if err != nil {
			return err
		}
		switch hex.EncodeToString(now) {
		case want:
			continue
		case other:
		default:
			return fmt.Errorf("the code at %x of %v was changed by someone else", c.Addr, p)
		}
		b, err := hex.DecodeString(want)
		if err != nil {
			return err
		}
		// The kernel gives the process a copy of the page of its own.
		if _, err := mem.WriteAt(b, int64(c.Addr)); err != nil {
			return p.orGone(fmt.Errorf("write to the memory of %v: %w", p, err))
		}
	}
	return nil
}

// Why a process that was told to stop has to go on and be stopped once more.
var (
	errReading = errors.New("reads the clock right now")
	errMoving  = errors.New("has not stopped")
)

// stands returns nil if all threads of the process are stopped, and none in one of the ranges of code.
func (p Process) stands(mem *os.File, ranges [][2]uint64) error {
	dir, stack := "/proc/"+strconv.Itoa(p.PID)+"/task/", make([]byte, stackDepth)
	tids, err := os.ReadDir(dir)
	if err != nil {
		return p.orGone(err)
	}
	for _, t := range tids {
		b, err := os.ReadFile(dir + t.Name() + "/stat")
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // it has ended
		}
		var s stat
		if err == nil {
			s, err = parseStat(b)
		}
		if err != nil {
			return err
		}
		if s.dead() {
			continue
		}
		if !s.stopped() {
			return fmt.Errorf("thread %s of %v %w", t.Name(), p, errMoving)
		}
		at, err := os.ReadFile(dir + t.Name() + "/syscall") // …, stack pointer, program counter
		if err != nil {
			return err
		}
		f := strings.Fields(string(at))
		if len(f) == 1 && f[0] == "running" { // on its way to the stop
			return fmt.Errorf("thread %s of %v %w", t.Name(), p, errMoving)
		}
		if len(f) < 3 {
			return fmt.Errorf("thread %s of %v stands at %q", t.Name(), p, at)
		}
		sp, err := strconv.ParseUint(f[len(f)-2], 0, 64)
		pc, more := strconv.ParseUint(f[len(f)-1], 0, 64)
		if err := errors.Join(err, more); err != nil {
			return fmt.Errorf("thread %s of %v stands at %q", t.Name(), p, at)
		}
		n, _ := mem.ReadAt(stack, int64(sp)) // as far as there is one
		for words := stack[:n&^7]; ; words = words[8:] {
			for _, r := range ranges {
				if pc >= r[0] && pc < r[1] {
					return fmt.Errorf("thread %s of %v %w", t.Name(), p, errReading)
				}
			}
			if len(words) == 0 {
				break
			}
			pc = binary.LittleEndian.Uint64(words)
		}
	}
	return nil
}
