package facts

import "time"

// Away is the gap between two requests of a user beyond which they were not there, for what one fault did: it is short beside that.
const Away = 30 * int64(time.Second)

// UserHash returns the number by which a user is known, 0 for none.
func UserHash(name string) uint64 {
	if name == "" {
		return 0
	}
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	h = (h ^ h>>32) * 0xd6e8feb86659fd93 // so that its high bits can choose among users
	return max(1, h^h>>32)
}

// usersDown returns how long users were down inside [begin, end]: each from the instant that a lost request was due until that of their next, as user uptime counts. One who did not come
// again within Away gave up or was not there, and counts for nothing.
func usersDown(seq []touch, begin, end int64) (sum int64) {
	lost := map[uint64]int64{} // when the last of a user's requests was due, which was lost
	for _, c := range seq {
		if c.user == 0 || c.state == touchSilent || c.state == touchOther {
			continue
		}
		if at, down := lost[c.user]; down {
			if c.due-at <= Away {
				sum += max(0, min(c.due, end)-max(at, begin))
			}
			delete(lost, c.user)
		}
		if c.state == touchFailed && c.due < end {
			lost[c.user] = c.due
		}
	}
	return sum
}
