package plan

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"
)

// Money is an amount in a currency, written as 5 USD.
type Money struct {
	Amount   float64
	Currency string // three letters
}

var currencyForm = regexp.MustCompile(`^[A-Z]{3}$`)

// UnmarshalText reads an amount.
func (m *Money) UnmarshalText(b []byte) error {
	number, currency, _ := strings.Cut(strings.TrimSpace(string(b)), " ")
	v, err := strconv.ParseFloat(number, 64)
	currency = strings.TrimSpace(currency)
	if err != nil || !(v > 0) || math.IsInf(v, 0) || !currencyForm.MatchString(currency) {
		return fmt.Errorf("%q is no amount of money; write for example 5 USD", b)
	}
	*m = Money{v, currency}
	return nil
}

// MarshalText writes the amount as UnmarshalText reads it.
func (m Money) MarshalText() ([]byte, error) {
	if m == (Money{}) {
		return nil, nil
	}
	return []byte(strconv.FormatFloat(m.Amount, 'g', -1, 64) + " " + m.Currency), nil
}

// IsZero reports whether there is no amount.
func (m Money) IsZero() bool { return m == Money{} }

// JSONSchema describes an amount.
func (Money) JSONSchema() *jsonschema.Schema { return text(`^[0-9.eE+-]+ [A-Z]{3}$`, "5 USD") }

// Prices is a price file: what things cost in one currency. What is left out is free.
type Prices struct {
	Currency             string  `yaml:"currency" json:"currency"`                         // three letters, as budget.money has it
	PerRequest           float64 `yaml:"perRequest" json:"perRequest"`                     // each request sent
	Per1000PromptTokens  float64 `yaml:"per1000PromptTokens" json:"per1000PromptTokens"`   //
	Per1000AnswerTokens  float64 `yaml:"per1000AnswerTokens" json:"per1000AnswerTokens"`   //
	PerInstanceSecond    float64 `yaml:"perInstanceSecond" json:"perInstanceSecond"`       // from creation to exit
	PerAcceleratorSecond float64 `yaml:"perAcceleratorSecond" json:"perAcceleratorSecond"` // likewise, for each accelerator
	PerGBSecond          float64 `yaml:"perGBSecond" json:"perGBSecond"`                   // of the time that requests take: how functions are charged
	MemoryGB             float64 `yaml:"memoryGB" json:"memoryGB"`                         // of one function or instance; for perGBSecond
	InstanceAccelerators float64 `yaml:"instanceAccelerators" json:"instanceAccelerators"` // of one instance; default 1
}

// ReadPrices reads a price file, as strictly as a plan.
func ReadPrices(path string) (*Prices, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read prices: %w", err)
	}
	return ParsePrices(path, data)
}

// ParsePrices decodes a price file.
func ParsePrices(file string, data []byte) (*Prices, error) {
	p := &Prices{}
	d, err := decode(file, data, p)
	if err != nil {
		return nil, err
	}
	c := &checker{d: d}
	if !currencyForm.MatchString(p.Currency) {
		c.bad("currency", "%q is no currency; write three letters, for example USD", p.Currency)
	}
	if p.InstanceAccelerators == 0 {
		p.InstanceAccelerators = 1
	}
	for name, v := range map[string]float64{"perRequest": p.PerRequest, "per1000PromptTokens": p.Per1000PromptTokens, "per1000AnswerTokens": p.Per1000AnswerTokens,
		"perInstanceSecond": p.PerInstanceSecond, "perAcceleratorSecond": p.PerAcceleratorSecond, "perGBSecond": p.PerGBSecond, "memoryGB": p.MemoryGB,
		"instanceAccelerators": p.InstanceAccelerators} {
		if v < 0 || math.IsNaN(v) || math.IsInf(v, 0) {
			c.bad(name, "%g is out of range; 0 or more", v)
		}
	}
	if p.PerGBSecond > 0 && p.MemoryGB == 0 {
		c.bad("perGBSecond", "needs memoryGB: how much memory is paid for")
	}
	if p.PerRequest+p.Per1000PromptTokens+p.Per1000AnswerTokens+p.PerInstanceSecond+p.PerAcceleratorSecond+p.PerGBSecond == 0 {
		c.bad("", "makes everything free; give at least one price")
	}
	return p, c.err()
}

// budget checks the budget.
func (c *checker) budget(p *Plan) {
	b := &p.Budget
	for name, n := range map[string]int64{"requests": int64(b.Requests), "tokens": b.Tokens, "instances": int64(b.Instances)} {
		if n < 0 {
			c.bad("budget."+name, "%d is negative", n)
		}
	}
	if _, known := kindNamed(p.Target.Kind); known && b.Tokens > 0 && !p.Target.Tokens() {
		c.bad("budget.tokens", "what this target of kind %s is asked knows no tokens; limit requests or time", p.Target.Kind)
	}
	if (b.Money.Amount > 0) != (b.Prices != "") {
		c.bad("budget", "has %s; money needs both: how much, and a price file", map[bool]string{true: "money without prices", false: "prices without money"}[b.Money.Amount > 0])
	}
}
