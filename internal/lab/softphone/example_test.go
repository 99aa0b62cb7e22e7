package softphone_test

import (
	"context"
	"fmt"
	"time"

	"github.com/callward/callward/internal/lab/recognise"
	"github.com/callward/callward/internal/lab/softphone"
)

// A patient calls, waits until the menu is known, and presses a key into it.
func Example() {
	script := func(ctx context.Context, cfg softphone.Config, prompts []recognise.Prompt) error {
		catalogue, err := recognise.NewCatalogue(prompts)
		if err != nil {
			return err
		}
		phone, err := softphone.New(ctx, cfg)
		if err != nil {
			return err
		}
		defer phone.Close()
		call, err := phone.Dial(ctx, "clinic")
		if err != nil {
			return err
		}
		ears := catalogue.Listen(call)
		if _, err := ears.WaitEnd(ctx, "greeting"); err != nil {
			return err // says what was heard instead
		}
		menu, err := ears.WaitFor(ctx, "menu")
		if err != nil {
			return err
		}
		fmt.Println("menu heard at", call.TimeAt(menu.Start), "score", menu.Score)
		if err := call.Press(ctx, "3"); err != nil {
			return err
		}
		if err := call.Speak(ctx, softphone.Speech(1, 2*time.Second)); err != nil {
			return err
		}
		return call.Hangup(ctx)
	}
	_ = script
}
